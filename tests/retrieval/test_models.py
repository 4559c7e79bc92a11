"""Propagation against dense matrices, and pairs planted to be found."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import Bloom, Collisionless, GraphHash, RowMap
from tests.retrieval.making import planted
from training.retrieval.embedding import MappedEmbedding
from training.retrieval.fit import Fit, fit, fit_for
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs
from training.retrieval.losses import CosineContrastive, PairwiseRanking, SampledSoftmax
from training.retrieval.models import (
    Cosine,
    HistoryTower,
    LightGCN,
    MatrixFactorization,
    Propagated,
)
from training.retrieval.ngcf import NGCF
from training.retrieval.objectives import ByUser, InBatch, Objective, Triples
from training.retrieval.ranking import rank
from training.retrieval.scoring import Scored


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


def model_of(name: str, interactions: Interactions, users: RowMap, items: RowMap) -> nn.Module:
    parts = embeddings(interactions, users, items)
    factors = MatrixFactorization(*parts)
    history = HistoryTower(*parts, interactions)
    return {
        "mf": lambda: factors,
        "lightgcn": lambda: LightGCN(*parts, interactions),
        "history": lambda: history,
        "ngcf": lambda: NGCF(factors, interactions, (8, 8), generator=torch.Generator()),
        "propagated history": lambda: Propagated(history, interactions, 1),
        "cosine": lambda: Cosine(factors),
    }[name]()


MODELS = ("mf", "lightgcn", "history", "ngcf", "propagated history", "cosine")


@pytest.mark.parametrize("name", MODELS)
def test_batches_score_as_all_vectors_do(name: str) -> None:
    model = model_of(name, planted(), Bloom(rows=9), Collisionless()).eval()
    users, items, others = torch.tensor([0, 3, 3]), torch.tensor([1, 1, 5]), torch.tensor([2, 1, 0])
    u, i = model.vectors()
    got = model.triples(users, items, others)
    torch.testing.assert_close(got[0], (u[users] * i[items]).sum(1))
    torch.testing.assert_close(got[1], (u[users] * i[others]).sum(1))


def dense_of(interactions: Interactions) -> Tensor:
    adjacency = torch.zeros(interactions.num_users, interactions.num_items)
    adjacency[tuple(map(torch.from_numpy, interactions.train))] = 1.0
    return adjacency


def test_a_history_is_the_mean_of_its_items() -> None:
    interactions = planted()
    parts = embeddings(interactions, Collisionless(), Collisionless())
    model = HistoryTower(*parts, interactions, share=0.3)
    with torch.no_grad():
        model.mixing.normal_()
    matrix = dense_of(interactions)
    mean = matrix / matrix.sum(1, keepdim=True) @ parts[1]()
    users, items = model.vectors()
    torch.testing.assert_close(users, 0.7 * parts[0]() + 0.3 * mean @ model.mixing)
    assert torch.equal(items, parts[1]())


def test_ngcf_is_its_equations_on_dense_matrices() -> None:
    interactions = planted()
    model = model_of("ngcf", interactions, Collisionless(), Collisionless()).eval()
    matrix = dense_of(interactions)
    matrix = matrix / (matrix.sum(1)[:, None] * matrix.sum(0)).clamp(min=1).sqrt()
    users = interactions.num_users
    laplacian = torch.zeros(users + interactions.num_items, users + interactions.num_items)
    laplacian[:users, users:], laplacian[users:, :users] = matrix, matrix.T
    with torch.no_grad():
        for linear in (*model.sums, *model.products):
            linear.bias.normal_()
    each = [torch.cat(model.base.vectors())]
    layer = each[0]
    for sums, products in zip(model.sums, model.products, strict=True):
        near = laplacian @ layer
        mixed = (near + layer) @ sums.weight.T + sums.bias
        mixed = mixed + (near * layer) @ products.weight.T + products.bias
        layer = torch.where(mixed > 0, mixed, 0.2 * mixed)
        each.append(layer / layer.norm(dim=1, keepdim=True))
    torch.testing.assert_close(torch.cat(model.vectors()), torch.cat(each, 1))


def test_cosines_are_of_length_one_and_zeros_stay() -> None:
    model = model_of("cosine", planted(), Collisionless(), Collisionless())
    with torch.no_grad():
        model.base.users.rows[3] = 0.0
    users, items = model.vectors()
    expected = torch.ones(len(users)).index_fill(0, torch.tensor(3), 0.0)
    torch.testing.assert_close(users.norm(dim=1), expected)
    torch.testing.assert_close(items.norm(dim=1), torch.ones(len(items)))


OBJECTIVES = {
    "triples": Triples(batch_size=64),
    "bpr": ByUser(PairwiseRanking(), users=16, negatives=8),
    "softmax": ByUser(SampledSoftmax(0.2), users=16, negatives=24),
    "mixed, users alike": ByUser(SampledSoftmax(0.2), 16, 24, uniform=0.5, user_power=1.0),
    "ccl": ByUser(CosineContrastive(0.2, 5.0), users=16, negatives=24),
    "in batch": InBatch(SampledSoftmax(0.2), batch_size=64),
    "in batch, logq": InBatch(SampledSoftmax(0.2, "logq"), batch_size=64),
    "in batch, mixed": InBatch(SampledSoftmax(0.2), batch_size=64, uniform=32),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_finds_planted_blocks(name: str) -> None:
    interactions = planted().carve(0.2)
    model = model_of("history", interactions, Collisionless(), Collisionless())
    model = Cosine(model)
    config = Fit(lr=0.05, epochs=30, k=12)
    fitted = fit(model, interactions, config, objective=OBJECTIVES[name])
    assert fitted.validation.recall > 0.95
    assert rank(model.vectors(), interactions.test, interactions.train, 12).recall > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_every_model_finds_planted_blocks(name: str) -> None:
    interactions = planted().carve(0.2)
    model = model_of(name, interactions, Collisionless(), Collisionless())
    fit(model, interactions, Fit(lr=0.05, batch_size=64, epochs=30, k=12))
    assert rank(model.vectors(), interactions.test, interactions.train, 12).recall > 0.95


def test_an_epoch_goes_over_every_pair_once() -> None:
    interactions = planted()
    number = len(interactions.train.users)
    factors = model_of("mf", interactions, Collisionless(), Collisionless())
    for name, objective in OBJECTIVES.items():
        epoch = objective.start(interactions, torch.Generator().manual_seed(1))
        expected = interactions.num_users if "alike" in name else number
        assert sum(step.weight for step in epoch(factors)) == pytest.approx(expected)


def test_batches_know_how_often_their_items_come_and_which_are_equal() -> None:
    train = Pairs(np.arange(40), np.where(np.arange(40) < 30, 0, np.arange(40)))
    interactions = Interactions(40, 40, train, NO_PAIRS, NO_PAIRS)
    factors = model_of("mf", interactions, Collisionless(), Collisionless())
    judged: list[Scored] = []

    class Recording(SampledSoftmax):
        def __call__(self, scored: Scored) -> Tensor:
            judged.append(scored)
            return super().__call__(scored)

    for uniform, share in ((0, 0.0), (61, 61 / 80)):
        epoch = InBatch(Recording(), 20, uniform, rate=0.01).start(interactions, torch.Generator())
        for _ in range(20):
            list(epoch(factors))
        last = judged[-1]
        popular = last.excluded[:, :20].sum(1) > 1
        assert popular.any() and not popular.all() and last.positive_log_q is not None
        expected = torch.where(popular, 0.75, 1 / 40) * (1 - share) + share / 40
        torch.testing.assert_close(last.positive_log_q.exp(), expected, rtol=0.25, atol=0.01)
        assert last.negative.shape == (20, 20 + uniform)


def test_epochs_without_a_validation_part_are_those_with_one() -> None:
    interactions = planted().carve(0.2)
    config = Fit(lr=0.02, batch_size=64, epochs=3, eval_every=1, k=12)
    for objective in (None, OBJECTIVES["softmax"]):
        one, other = (
            model_of("mf", interactions, Collisionless(), Collisionless()) for _ in range(2)
        )
        epoch = fit(one, interactions, config, seed=4, objective=objective).epoch
        fit_for(other, interactions, config, epoch, seed=4, objective=objective)
        assert epoch > 0 and torch.equal(one.users.rows, other.users.rows)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ByUser(SampledSoftmax(), users=0),
        lambda: ByUser(SampledSoftmax(), negatives=0),
        lambda: ByUser(SampledSoftmax(), uniform=1.5),
        lambda: ByUser(PairwiseRanking(), negatives=4096),
        lambda: InBatch(SampledSoftmax(), batch_size=0),
        lambda: InBatch(SampledSoftmax(), uniform=-1),
    ],
)
def test_objectives_that_cannot_be_are_refused(make: Callable[[], Objective]) -> None:
    with pytest.raises(ConfigError, match="got"):
        make()


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
