"""What is finite and yet too much, or nothing at all, is refused or bounded."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.index import Index, IndexConfig, Parameters
from recsys_embed.index import items as items_module
from recsys_embed.index.attributes import Schema
from recsys_embed.index.engines.protocol import Hits
from recsys_embed.index.ranking import rescored
from tests.index.making import check_exact, check_sound, clustered


def config(kind: str, **more: object) -> IndexConfig:
    return IndexConfig(kind=kind, background=False, target_k=10, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("large", [1.1e15, -3e38])
def test_numbers_whose_products_overflow_are_refused(large: float) -> None:
    """They make NaN of scores and centroids, which ends the process inside faiss."""
    index = Index.build([1, 2], np.ones((2, 3), np.float32), config=config("ivf"))
    vectors = np.array([[1, 1, 1], [1, large, 2]], np.float32)
    said = r"must lie within 1e\+15 of 0, for inner products to fit float32, but number 1 holds"
    for call in (
        lambda: index.upsert([3, 4], vectors),
        lambda: index.search(vectors, 1),
        lambda: index.retune(vectors),
        lambda: Index.build([3, 4], vectors, config=config("exact")),
    ):
        with pytest.raises(InputError, match=said):
            call()
    assert len(index) == 2


@pytest.mark.parametrize(("metric", "large"), [("inner_product", 1e15), ("cosine", 3e38)])
@pytest.mark.parametrize("kind", ["exact", "ivf", "hnsw"])
def test_the_largest_numbers_are_compared(
    kind: str, metric: Any, large: float, rng: np.random.Generator
) -> None:
    vectors = (rng.uniform(-1, 1, (300, 4)) * large).astype(np.float32)
    index = Index.build(np.arange(300), vectors, config=config(kind, metric=metric))
    index.upsert(np.arange(300, 310), vectors[:10])
    index.fold()
    index.rebuild()
    assert index.search(vectors[:3], 300).counts.tolist() == [300] * 3
    assert np.isfinite(index.search(vectors[:3], 10).scores).all()


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_vectors_without_dimensions_are_refused(kind: str) -> None:
    with pytest.raises(
        InputError, match=r"shape \(number, dimensions\), got float32 of .*\(3, 0\)"
    ):
        Index.build([1, 2, 3], np.zeros((3, 0), np.float32), config=config(kind))


def test_no_queries_tune_nothing(rng: np.random.Generator) -> None:
    index = Index.build(np.arange(500), clustered(rng, 500), config=config("ivf", codec="int8"))
    before = index.stats()
    with pytest.raises(InputError, match="tuned with queries such as are asked, got none"):
        index.retune(np.zeros((0, 16), np.float32))
    assert index.stats() == before


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_a_projection_that_nothing_tells_is_left_out(kind: str, rng: np.random.Generator) -> None:
    """An engine in all dimensions answers as well; else no item and no rebuild would get in."""
    zeros = np.zeros((40, 4), np.float32)
    index = Index.build(np.arange(40), zeros, config=config(kind, projected_dim=2))
    items = dict(enumerate(zeros))
    check_exact(index.exact(zeros[:1], 5), zeros[:1], 5, items, "inner_product")
    index.upsert(np.arange(40), new := rng.standard_normal((40, 4), np.float32))
    for _ in range(64 * 16):
        index.search(zeros[:1], 1)
    index.rebuild()
    check_sound(index.search(new[:2], 9), new[:2], 9, dict(enumerate(new)), "inner_product")


def test_what_searches_ask_for_takes_no_memory_for_good(rng: np.random.Generator) -> None:
    index = Index.build(np.arange(500), clustered(rng, 500), config=config("ivf"))
    query, engine = clustered(rng, 1), index.view().state.engine
    for steps in range(1, 400):
        index.search(query, 1, parameters=Parameters(nprobe=steps))
        index.search(query, 50 * steps)
    assert len(engine._asked) <= engine.most_steps  # type: ignore[attr-defined]


def test_a_walk_keeps_no_more_candidates_than_there_are_items(rng: np.random.Generator) -> None:
    index = Index.build(np.arange(500), clustered(rng, 500), config=config("hnsw"))
    query = clustered(rng, 1)
    found = index.search(query, 20, parameters=Parameters(ef=2**40))
    assert found.ids.tolist() == index.exact(query, 20).ids.tolist()


@pytest.mark.parametrize("value", [0, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["nprobe", "ef", "rerank"])
def test_parameters_are_finite(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be a number of at least 1, got"):
        Parameters(**{name: value})  # type: ignore[arg-type]


def test_many_candidates_are_scored_again_in_little_memory(rng: np.random.Generator) -> None:
    vectors, queries = rng.standard_normal((3000, 32), np.float32), clustered(rng, 60, 32)
    slots = np.stack([rng.permutation(3000) for _ in queries])
    slots[0, 5:] = -1
    wanted = np.where(slots >= 0, np.take_along_axis(queries @ vectors.T, slots, 1), -np.inf)
    hits = Hits(slots, np.zeros(slots.shape, np.float32))
    tracemalloc.start()
    found = rescored(hits, queries, vectors, 100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * slots.size * 8 < 60 * 3000 * 32 * 4  # less than all the vectors at once
    np.testing.assert_allclose(found.scores, -np.sort(-wanted, axis=1)[:, :100], rtol=1e-4)
    assert (found.slots[0, 5:] == -1).all()


def test_an_index_that_began_empty_is_measured_once_there_is_something(
    rng: np.random.Generator,
) -> None:
    """Else every way to meet a filter would seem to take no time, and the first be taken."""
    index = Index.build(np.zeros(0, np.int64), np.zeros((0, 16), np.float32), config=config("auto"))
    index.upsert(np.arange(2048), clustered(rng, 2048))
    assert not index.maintain()
    index.upsert([5000], clustered(rng, 1))
    assert index.maintain() and not index.maintain()
    assert min(index.view().state.tuning.costs[:3]) >= 0 < index.view().state.tuning.costs.scan
    assert index.stats().kind == "exact" and len(index) == 2049


def test_a_write_without_memory_leaves_attributes_with_their_items(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = Schema({"n": "int"})
    index = Index.build([1], np.ones((1, 2), np.float32), config=config("exact"), schema=schema)

    def refuses(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as short, pytest.raises(MemoryError):
        short.setattr(items_module, "_grown", refuses)
        index.upsert([2], np.ones((1, 2), np.float32), {"n": [2]})
    index.upsert([3, 4], np.ones((2, 2), np.float32), {"n": [3, 4]})
    assert index.attributes_of([1, 2, 3, 4]) == [{}, None, {"n": 3}, {"n": 4}]
