"""Our collection against TorchRec's with the same weights: forward, backward, names, shapes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torchrec import EmbeddingBagConfig, KeyedJaggedTensor
from torchrec.models.dlrm import DLRM

from recsys_embed import SGD, Adagrad, InputError
from recsys_embed.nn import EmbeddingBagCollection
from tests.nn.making import BAG_TABLES, KEYS, SCATTERED_KEYS, bag_pair, batch_of, weights_of


@pytest.mark.parametrize("keys", [KEYS, SCATTERED_KEYS], ids=["side by side", "scattered"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("num_bags", [1, 5])
def test_pooled_output_equals_torchrec_s(
    keys: list[str], is_weighted: bool, num_bags: int, rng: np.random.Generator
) -> None:
    tables = [
        t for t in BAG_TABLES if not is_weighted or t.name != "users"
    ]  # torch: no weighted mean
    ours, theirs = bag_pair()
    if is_weighted:
        ours, theirs = weighted_pair(tables)
    batch = batch_of(rng, keys, num_bags, is_weighted=is_weighted)
    expected = theirs(batch)
    for mode in (ours.train(), ours.eval()):
        out = mode(batch)
        assert out.keys() == expected.keys()
        assert out.length_per_key() == expected.length_per_key()
        # both sum up to four float32, perhaps in another order
        assert_close(out.values(), expected.values(), rtol=1e-6, atol=1e-7, check_dtype=True)


def weighted_pair(tables: list[EmbeddingBagConfig]) -> tuple[EmbeddingBagCollection, Any]:
    import torchrec

    theirs = torchrec.EmbeddingBagCollection(tables=tables, is_weighted=True)
    ours = EmbeddingBagCollection(tables=tables, is_weighted=True)
    for name, bag in theirs.embedding_bags.items():
        ours.tables[name].assign(torch.arange(len(bag.weight)), bag.weight.detach())
    return ours, theirs


@pytest.mark.parametrize("is_weighted", [False, True])
def test_an_empty_batch_gives_an_empty_output(is_weighted: bool, rng: np.random.Generator) -> None:
    ours, _ = bag_pair(is_weighted)
    out = ours(batch_of(rng, KEYS, 0, is_weighted=is_weighted))  # TorchRec's own raises IndexError
    assert out.values().shape == (0, 17)
    out.values().sum().backward()


@pytest.mark.parametrize("by", ["lengths", "offsets"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_lengths_and_offsets_of_either_integer_type_mean_the_same(
    by: str, dtype: torch.dtype, rng: np.random.Generator
) -> None:
    ours, theirs = bag_pair()
    batch = batch_of(rng, KEYS, 4, by=by, dtype=dtype)
    wide = KeyedJaggedTensor(KEYS, batch.values(), offsets=batch.offsets().to(torch.int64))
    assert_close(ours(batch).values(), theirs(wide).values(), rtol=1e-6, atol=1e-7)


def test_int32_ids_are_the_ids_they_name(rng: np.random.Generator) -> None:
    ours, _ = bag_pair()
    batch = batch_of(rng, KEYS, 4)
    narrow = KeyedJaggedTensor(KEYS, batch.values().int(), lengths=batch.lengths())
    assert_close(ours.eval()(narrow).values(), ours.eval()(batch).values(), rtol=0, atol=0)


@pytest.mark.parametrize("keys", [KEYS, SCATTERED_KEYS], ids=["side by side", "scattered"])
@pytest.mark.parametrize(
    ("ours_by", "theirs_by"),
    [(SGD(), torch.optim.SGD), (Adagrad(), torch.optim.Adagrad)],
    ids=["sgd", "adagrad"],
)
def test_three_steps_leave_the_rows_where_torch_s_optimizer_leaves_them(
    keys: list[str], ours_by: Any, theirs_by: Any, rng: np.random.Generator
) -> None:
    ours, theirs = bag_pair(optimizer=ours_by, lr=0.1)
    optimizer = theirs_by(theirs.parameters(), lr=0.1)
    for _ in range(3):
        batch = batch_of(rng, keys, 5)
        pull = torch.from_numpy(rng.normal(size=(5, 17)).astype(np.float32))
        optimizer.zero_grad()
        (ours(batch).values() * pull).sum().backward()
        (theirs(batch).values() * pull).sum().backward()
        optimizer.step()
    for name, bag in theirs.embedding_bags.items():
        # gradients of an id are summed in another order than torch's scatter sums them
        assert_close(weights_of(ours, name), bag.weight.detach(), rtol=1e-5, atol=1e-6)


def test_an_id_met_in_two_features_takes_one_step_with_the_summed_gradient() -> None:
    table = EmbeddingBagConfig(
        name="t", embedding_dim=2, num_embeddings=4, feature_names=["a", "b"]
    )
    ours = EmbeddingBagCollection([table], optimizer=Adagrad(), lr=1.0)
    ours.tables["t"].assign(torch.tensor([9]), torch.zeros(1, 2))
    batch = KeyedJaggedTensor(["a", "b"], torch.tensor([9, 9]), lengths=torch.tensor([1, 1]))
    (ours(batch).values() * torch.tensor([[3.0, 3.0, 1.0, 1.0]])).sum().backward()
    # Adagrad: g = 3 + 1, w = -g / sqrt(g^2) = -1; two steps would give -1 - 1/sqrt(10)
    assert_close(torch.from_numpy(ours.tables["t"].lookup(np.array([9]))), -torch.ones(1, 2))


def test_gradients_of_a_sum_reach_every_column_though_torch_hands_them_over_expanded() -> None:
    ours = EmbeddingBagCollection(BAG_TABLES[:1], optimizer=SGD(), lr=1.0)
    ours.tables["goods"].assign(torch.tensor([1]), torch.zeros(1, 6))
    batch = KeyedJaggedTensor(["seen", "bought"], torch.tensor([1]), lengths=torch.tensor([1, 0]))
    ours(batch).values().sum().backward()
    assert_close(torch.from_numpy(ours.tables["goods"].lookup(np.array([1]))), -torch.ones(1, 6))


@pytest.mark.parametrize("keys", [KEYS, SCATTERED_KEYS], ids=["side by side", "scattered"])
def test_weights_that_ask_for_a_gradient_get_torch_s(
    keys: list[str], rng: np.random.Generator
) -> None:
    tables = [BAG_TABLES[0], BAG_TABLES[2]]
    ours, theirs = weighted_pair(tables)
    batch = batch_of(rng, keys, 5, is_weighted=True)
    pull = torch.from_numpy(rng.normal(size=(5, 14)).astype(np.float32))
    grads, outs = [], []
    for side in (ours, theirs):
        weights = batch.weights().clone().requires_grad_()
        tried = KeyedJaggedTensor(keys, batch.values(), weights, lengths=batch.lengths())
        out = side(tried).values()
        (out * pull).sum().backward()
        grads.append(weights.grad)
        outs.append(out.detach())
    assert_close(outs[0], outs[1], rtol=1e-6, atol=1e-6)
    assert_close(grads[0], grads[1], rtol=1e-5, atol=1e-6)


def test_a_weighted_mean_divides_by_the_number_of_ids_on_both_paths() -> None:
    ours = EmbeddingBagCollection(BAG_TABLES[1:2], is_weighted=True)
    ours.tables["users"].assign(torch.tensor([1, 2]), torch.tensor([[2.0] * 3, [4.0] * 3]))
    ids, lengths = torch.tensor([1, 2, 2]), torch.tensor([2, 0, 1])
    expected = torch.tensor([[(0.5 * 2 + 2 * 4) / 2] * 3, [0.0] * 3, [3.0 * 4] * 3])
    for wanted in (False, True):
        weights = torch.tensor([0.5, 2.0, 3.0], requires_grad=wanted)
        batch = KeyedJaggedTensor(["user"], ids, weights, lengths=lengths)
        assert_close(ours.eval()(batch).values().detach(), expected)


def test_ids_need_no_range() -> None:
    ours = EmbeddingBagCollection(BAG_TABLES[:1])
    ids = torch.tensor([-1, -(2**63), 2**63 - 1, 0])
    batch = KeyedJaggedTensor(["seen", "bought"], ids, lengths=torch.tensor([3, 1]))
    ours(batch)
    assert ours.tables["goods"].contains(ids).all()


def test_torchrec_s_dlrm_trains_on_our_collection(rng: np.random.Generator) -> None:
    tables = [
        EmbeddingBagConfig(name=n, embedding_dim=4, num_embeddings=9, feature_names=[n])
        for n in "ab"
    ]
    torch.manual_seed(0)
    model = DLRM(EmbeddingBagCollection(tables, lr=0.1), 3, [4], [8, 1])
    batch = batch_of(rng, ["a", "b"], 16)
    dense, label = torch.randn(16, 3), torch.randint(0, 2, (16,)).float()
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            model(dense, batch)[:, 0], label
        )
        loss.backward()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1  # the dense part is not stepped: only tables learned


def test_a_batch_without_a_feature_is_refused_by_name(rng: np.random.Generator) -> None:
    ours, _ = bag_pair()
    with pytest.raises(InputError, match="'users' needs feature 'user'.*did you mean 'usr'"):
        ours(batch_of(rng, ["seen", "bought", "usr", "shop"], 2))


def test_a_weighted_collection_refuses_a_batch_without_weights(rng: np.random.Generator) -> None:
    ours = EmbeddingBagCollection(BAG_TABLES, is_weighted=True)
    with pytest.raises(InputError, match="needs weights"):
        ours(batch_of(rng, KEYS, 2))


def test_features_of_different_batch_sizes_are_refused() -> None:
    ours = EmbeddingBagCollection(BAG_TABLES[:1])
    batch = KeyedJaggedTensor(
        ["seen", "bought"], torch.arange(3), lengths=torch.ones(3, dtype=torch.int64),
        stride_per_key_per_rank=[[2], [1]],
    )  # fmt: skip
    with pytest.raises(InputError, match="same batch size"):
        ours(batch)


def test_float_ids_are_refused() -> None:
    ours = EmbeddingBagCollection(BAG_TABLES[:1])
    batch = KeyedJaggedTensor(["seen", "bought"], torch.ones(2), lengths=torch.tensor([1, 1]))
    with pytest.raises(InputError, match="integers.*float32"):
        ours(batch)
