"""Our EmbeddingCollection against TorchRec's with the same weights."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torchrec import EmbeddingConfig, KeyedJaggedTensor

from recsys_embed import SGD, Adagrad, ConfigError, FeatureRule
from recsys_embed.nn import EmbeddingCollection
from tests.nn.making import KEYS, SCATTERED_KEYS, batch_of, pair, weights_of


@pytest.mark.parametrize("keys", [KEYS, SCATTERED_KEYS], ids=["side by side", "scattered"])
@pytest.mark.parametrize("num_bags", [1, 5])
@pytest.mark.parametrize("need_indices", [False, True])
def test_vectors_lengths_and_keys_equal_torchrec_s(
    keys: list[str], num_bags: int, need_indices: bool, rng: np.random.Generator
) -> None:
    ours, theirs = pair(need_indices=need_indices)
    batch = batch_of(rng, keys, num_bags)
    expected = theirs(batch)
    for mode in (ours.train(), ours.eval()):
        out = mode(batch)
        assert list(out) == list(expected)
        for name, jagged in expected.items():
            assert_close(out[name].values(), jagged.values(), rtol=0, atol=0)
            assert_close(out[name].lengths(), jagged.lengths(), rtol=0, atol=0)
            if need_indices:
                assert_close(out[name].weights(), jagged.weights(), rtol=0, atol=0)


def test_an_empty_batch_gives_empty_outputs(rng: np.random.Generator) -> None:
    ours, _ = pair()
    out = ours(batch_of(rng, KEYS, 0))  # TorchRec's own raises IndexError
    assert {tuple(jagged.values().shape) for jagged in out.values()} == {(0, 4)}
    out["seen"].values().sum().backward()


@pytest.mark.parametrize("keys", [KEYS, SCATTERED_KEYS], ids=["side by side", "scattered"])
@pytest.mark.parametrize(
    ("ours_by", "theirs_by"),
    [(SGD(), torch.optim.SGD), (Adagrad(), torch.optim.Adagrad)],
    ids=["sgd", "adagrad"],
)
def test_three_steps_leave_the_rows_where_torch_s_optimizer_leaves_them(
    keys: list[str], ours_by: Any, theirs_by: Any, rng: np.random.Generator
) -> None:
    ours, theirs = pair(optimizer=ours_by, lr=0.1)
    optimizer = theirs_by(theirs.parameters(), lr=0.1)
    for _ in range(3):
        batch = batch_of(rng, keys, 5)
        pull = torch.from_numpy(rng.normal(size=4).astype(np.float32))
        optimizer.zero_grad()
        for side in (ours, theirs):
            # only some of the results are used: the others must count as zero gradients
            used = [j.values() @ pull for name, j in side(batch).items() if name != "bought"]
            torch.cat(used).square().sum().backward()
        optimizer.step()
    for name, embedding in theirs.embeddings.items():
        # gradients of an id are summed in another order than torch's scatter sums them
        assert_close(weights_of(ours, name), embedding.weight.detach(), rtol=1e-5, atol=1e-6)


def test_each_feature_of_a_shared_table_keeps_its_own_threshold() -> None:
    table = EmbeddingConfig(name="t", embedding_dim=2, num_embeddings=9, feature_names=["a", "b"])
    ours = EmbeddingCollection([table], rules={"b": FeatureRule("b", threshold=3)})
    batch = KeyedJaggedTensor(
        ["a", "b"], torch.tensor([1, 2, 2, 3, 3, 3]), lengths=torch.tensor([1, 5])
    )
    ours(batch)
    assert ours.tables["t"].contains(torch.tensor([1, 2, 3])).tolist() == [True, False, True]


def test_features_may_differ_in_batch_size() -> None:
    table = EmbeddingConfig(name="t", embedding_dim=2, num_embeddings=9, feature_names=["a", "b"])
    ours = EmbeddingCollection([table])
    batch = KeyedJaggedTensor(
        ["a", "b"],
        torch.arange(4),
        lengths=torch.tensor([1, 2, 1]),
        stride_per_key_per_rank=[[2], [1]],
    )
    out = ours(batch)
    assert out["a"].lengths().tolist() == [1, 2]
    assert out["b"].lengths().tolist() == [1]
    assert_close(out["b"].values(), torch.from_numpy(ours.tables["t"].lookup(np.array([3]))))


def test_tables_of_different_dimensions_are_refused() -> None:
    tables = [
        EmbeddingConfig(name=n, embedding_dim=d, num_embeddings=9) for n, d in (("a", 2), ("b", 3))
    ]
    with pytest.raises(ConfigError, match=r"one embedding_dim, got \[2, 3\]"):
        EmbeddingCollection(tables)
