"""Propagation against dense matrices, and pairs planted to be found."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import Bloom, Collisionless, GraphHash, RowMap
from tests.retrieval.making import planted
from training.retrieval.embedding import MappedEmbedding
from training.retrieval.fit import Fit, fit
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs
from training.retrieval.models import LightGCN, MatrixFactorization
from training.retrieval.ranking import rank


def embeddings(
    interactions: Interactions, users: RowMap, items: RowMap, seed: int = 0
) -> tuple[MappedEmbedding, MappedEmbedding]:
    generator = torch.Generator().manual_seed(seed)
    return (
        MappedEmbedding(users, np.arange(interactions.num_users), 8, generator=generator),
        MappedEmbedding(items, np.arange(interactions.num_items), 8, generator=generator),
    )


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 3), st.floats(0, 1))
def test_propagation_is_powers_of_the_normalized_adjacency(
    seed: int, layers: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.random((6, 9)) < density
    train = Pairs(*(side.astype(np.int64) for side in np.nonzero(matrix)))
    interactions = Interactions(6, 9, train, NO_PAIRS, NO_PAIRS)
    model = LightGCN(
        *embeddings(interactions, Bloom(rows=4), Collisionless()), interactions, layers
    )
    adjacency = torch.zeros(15, 15)
    adjacency[:6, 6:] = torch.from_numpy(matrix)
    adjacency = adjacency + adjacency.T
    degrees = adjacency.sum(1).clamp(min=1)
    adjacency = adjacency / (degrees[:, None] * degrees[None, :]).sqrt()
    start = torch.cat([model.users(), model.items()])
    powers = [torch.linalg.matrix_power(adjacency, k) @ start for k in range(layers + 1)]
    expected = torch.stack(powers).mean(0)
    torch.testing.assert_close(torch.cat(model.vectors()), expected)
    weights = torch.from_numpy(rng.normal(size=expected.shape)).float()
    parameters = list(model.parameters())
    got, slow = (
        torch.autograd.grad((v * weights).sum(), parameters, retain_graph=True)
        for v in (torch.cat(model.vectors()), expected)
    )
    torch.testing.assert_close(got, slow)


@pytest.mark.parametrize("kind", [MatrixFactorization, LightGCN])
def test_batches_score_as_all_vectors_do(kind: type) -> None:
    interactions = planted()
    parts = embeddings(interactions, Bloom(rows=9), Collisionless())
    model = kind(*parts) if kind is MatrixFactorization else kind(*parts, interactions)
    users, items, others = torch.tensor([0, 3, 3]), torch.tensor([1, 1, 5]), torch.tensor([2, 1, 0])
    u, i = model.vectors()
    got = model.triples(users, items, others)
    torch.testing.assert_close(got[0], (u[users] * i[items]).sum(1))
    torch.testing.assert_close(got[1], (u[users] * i[others]).sum(1))


@pytest.mark.parametrize("kind", [MatrixFactorization, LightGCN])
def test_planted_blocks_are_found(kind: type) -> None:
    interactions = planted().carve(0.2)
    users, items = (
        GraphHash.of(np.arange(n), np.arange(n) % 4)
        for n in (interactions.num_users, interactions.num_items)
    )
    for maps in ((Collisionless(), Collisionless()), (users, items)):
        parts = embeddings(interactions, *maps)
        model = kind(*parts) if kind is MatrixFactorization else kind(*parts, interactions)
        fitted = fit(model, interactions, Fit(lr=0.05, batch_size=64, epochs=30, k=12))
        # 12 places: the four items left of a user's block, and eight that are wrong
        assert fitted.validation.recall > 0.95
        assert rank(model.vectors(), interactions.test, interactions.train, 12).recall > 0.95


def test_the_best_epoch_is_kept_and_patience_ends() -> None:
    interactions = planted().carve(0.2)
    model = MatrixFactorization(*embeddings(interactions, Collisionless(), Collisionless()))
    config = Fit(lr=0.05, batch_size=64, epochs=500, eval_every=1, patience=2, k=12)
    heard: list[tuple[int, bool]] = []
    fitted = fit(
        model, interactions, config, hears=lambda e, _, r: heard.append((e, r is not None))
    )
    assert fitted.epoch == fitted.curve[-1][0] - 2 < 500
    assert fitted.validation.recall == max(r.recall for _, r in fitted.curve)
    assert [e for e, _ in heard] == list(range(1, fitted.curve[-1][0] + 1))
    again = rank(model.vectors(), interactions.validation, interactions.train, 12)
    assert again == fitted.validation


def test_equal_seeds_give_equal_bits() -> None:
    interactions = planted().carve(0.2)
    rows = []
    for seed in (1, 1, 2):
        model = MatrixFactorization(*embeddings(interactions, Collisionless(), Collisionless()))
        fit(model, interactions, Fit(epochs=2, batch_size=64, k=5), seed=seed)
        rows.append(model.users.rows.detach().clone())
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0], rows[2])


@pytest.mark.parametrize(("name", "value"), [("lr", 0), ("epochs", 0), ("weight_decay", -1)])
def test_a_fit_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must"):
        Fit(**{name: value})
