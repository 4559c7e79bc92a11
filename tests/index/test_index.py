"""An index answers as a slow search of what was last written would."""

import numpy as np
import pytest

from recsys_embed.errors import InputError
from recsys_embed.index import Index, IndexConfig, Parameters
from recsys_embed.index.attributes import Schema
from recsys_embed.index.filters import parse
from tests.index.making import check_exact, check_sound, clustered

KINDS = ["exact", "ivf", "hnsw"]
METRICS = ["inner_product", "cosine"]
SCHEMA = Schema({"price": "float"})
EXTREMES = [np.iinfo(np.int64).min, -1, 0, np.iinfo(np.int64).max]


def config(kind: str = "exact", metric: str = "inner_product", **more: object) -> IndexConfig:
    return IndexConfig(kind=kind, metric=metric, background=False, **more)  # type: ignore[arg-type]


def ids_of(count: int) -> np.ndarray:
    return np.array([*EXTREMES, *range(100, 100 + count - 4)])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_item_is_found_best_first(kind: str, metric: str, rng: np.random.Generator) -> None:
    vectors, queries = clustered(rng, 300), clustered(rng, 7)
    items = dict(zip(ids_of(300).tolist(), vectors, strict=True))
    index = Index.build(ids_of(300), vectors, config=config(kind, metric))
    for k in (1, 10, 300, 1000):
        check_exact(index.exact(queries, k), queries, k, items, metric)
        check_sound(index.search(queries, k), queries, k, items, metric)
    assert index.exact(queries, 1).exact


@pytest.mark.parametrize("kind", KINDS)
def test_writes_are_found_at_once_and_deletions_never_again(
    kind: str, rng: np.random.Generator
) -> None:
    vectors = clustered(rng, 300)
    items = dict(zip(ids_of(300).tolist(), vectors, strict=True))
    index = Index.build(ids_of(300), vectors, config=config(kind))
    for step in range(30):
        changed = rng.choice(np.array([*items, 1000 + step, 2000 + step]), 12, replace=False)
        new = clustered(rng, 12)
        index.upsert(changed, new)
        items.update(zip(changed.tolist(), new, strict=True))
        found, there = index.vectors_of(changed)
        assert there.all() and (found == new).all()
        gone = rng.choice(np.array(list(items)), 8, replace=False)
        assert index.delete(np.append(gone, [-77, gone[0]])) == 8
        for id_ in gone.tolist():
            del items[id_]
        assert not index.vectors_of(gone)[1].any() and len(index) == len(items)
        check_exact(index.exact(new[:2], 20), new[:2], 20, items, "inner_product")
        check_sound(index.search(new[:2], 20), new[:2], 20, items, "inner_product")


@pytest.mark.parametrize("kind", KINDS)
def test_a_written_item_is_found_before_it_is_folded_in(
    kind: str, rng: np.random.Generator
) -> None:
    index = Index.build(np.arange(2000), clustered(rng, 2000), config=config(kind))
    new = 10 * clustered(rng, 20, clusters=20)
    for id_, vector in enumerate(new, 5000):
        index.upsert([id_], vector[None])
        assert index.search(vector[None], 1).scores[0, 0] >= vector @ vector * 0.9999
    assert set(index.search(new, 1).ids.ravel().tolist()) <= set(range(5000, 5020))


def test_the_last_of_equal_ids_counts() -> None:
    index = Index.build(np.array([5, 5]), np.array([[1, 0], [2, 0]], np.float32), config=config())
    assert index.vectors_of([5])[0].tolist() == [[2, 0]]
    index.upsert(np.array([5, 6, 5]), np.array([[3, 0], [4, 0], [5, 0]], np.float32))
    assert index.vectors_of([5, 6])[0].tolist() == [[5, 0], [4, 0]]
    assert len(index) == 2


def test_a_view_answers_as_of_its_moment(rng: np.random.Generator) -> None:
    vectors, queries = clustered(rng, 50), clustered(rng, 3)
    index = Index.build(
        np.arange(50), vectors, config=config("ivf"), schema=SCHEMA, attributes={"price": [1] * 50}
    )
    items = dict(enumerate(vectors))
    view = index.view()
    index.upsert(np.arange(40, 5000), clustered(rng, 4960))
    index.delete(np.arange(40))
    assert (len(index), len(view)) == (4960, 50)
    check_exact(view.exact(queries, 50), queries, 50, items, "inner_product")
    check_sound(view.search(queries, 50), queries, 50, items, "inner_product")
    assert (view.vectors_of(np.arange(50))[0] == vectors).all()
    assert view.attributes_of([45, 60]) == [{"price": 1.0}, None]
    assert index.attributes_of([45, 39]) == [{}, None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_a_filter_keeps_out_all_else_and_misses_none_that_exist(
    kind: str, share: float, rng: np.random.Generator
) -> None:
    vectors, queries = clustered(rng, 600), clustered(rng, 4)
    prices = rng.permutation(600) / 600
    index = Index.build(
        np.arange(600), vectors, config=config(kind), schema=SCHEMA, attributes={"price": prices}
    )
    index.delete(np.arange(0, 600, 3))
    where = parse({"field": "price", "lt": share}, SCHEMA)
    items = {i: v for i, v in enumerate(vectors) if i % 3 and prices[i] < share}
    for k in (5, 600):
        exact = index.exact(queries, k, where=where)
        check_exact(exact, queries, k, items, "inner_product")
        found = index.search(queries, k, where=where)
        check_sound(found, queries, k, items, "inner_product")
        assert (found.searched, found.filtered) == (400, 400 - len(items))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [5, 1500])
def test_excluded_items_are_another_for_each_query(
    kind: str, most: int, rng: np.random.Generator
) -> None:
    vectors, queries = clustered(rng, 2000), clustered(rng, 3)
    index = Index.build(np.arange(2000), vectors, config=config(kind))
    exclude = [np.arange(most), np.array([], np.int64), np.array([7, 7, 99_999])]
    found = index.exact(queries, 30, exclude=exclude)
    for row, ids in enumerate(exclude):
        items = {i: v for i, v in enumerate(vectors) if i not in set(ids.tolist())}
        one = slice(row, row + 1)
        part = found._replace(
            ids=found.ids[one], scores=found.scores[one], counts=found.counts[one]
        )
        check_exact(part, queries[one], 30, items, "inner_product")
    assert (found.searched, found.filtered) == (2000, most)


def test_an_empty_index_answers_with_nothing(rng: np.random.Generator) -> None:
    index = Index.build(np.array([], np.int64), np.empty((0, 4), np.float32), config=config("auto"))
    queries = rng.standard_normal((2, 4), np.float32)
    found = index.search(queries, 3)
    check_exact(found, queries, 3, {}, "inner_product")
    assert index.search(queries[:0], 3).ids.shape == (0, 3)
    index.upsert([4], queries[:1])
    assert index.search(queries[:1], 3).ids.tolist() == [[4, 0, 0]]
    assert index.delete([4]) == 1
    assert index.search(queries, 3).counts.tolist() == [0, 0]


@pytest.mark.parametrize("k", [0, -1, 65_537, 1.0, True, "3"])
def test_a_number_of_results_out_of_range_is_refused(k: object) -> None:
    index = Index.build([1], np.ones((1, 2), np.float32), config=config())
    with pytest.raises(InputError, match=r"k must be an integer in \[1, 65536\], got"):
        index.search(np.ones((1, 2), np.float32), k)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        (np.ones((1, 3), np.float32), r"queries must be float32 of shape \(number, 2\), got"),
        (np.ones(2, np.float32), r"of shape \(2,\)"),
        (np.ones((1, 2)), "got float64"),
        (np.array([[1, 1], [1, np.nan]], np.float32), "number 1 holds NaN or infinity"),
        (np.array([[np.inf, 1]], np.float32), "number 0 holds NaN or infinity"),
    ],
)
def test_vectors_that_cannot_be_are_refused_in_a_sentence(queries: np.ndarray, said: str) -> None:
    index = Index.build([1], np.ones((1, 2), np.float32), config=config())
    with pytest.raises(InputError, match=said):
        index.search(queries, 1)
    with pytest.raises(InputError, match=said.replace("queries", "vectors")):
        index.upsert([5] * len(queries), queries)
    assert len(index) == 1


def test_a_write_that_does_not_fit_changes_nothing(rng: np.random.Generator) -> None:
    index = Index.build([1], np.ones((1, 2), np.float32), config=config(), schema=SCHEMA)
    two = np.ones((2, 2), np.float32)
    for ids, attributes, said in (
        ([5], None, "expected one vector an id, got 2 for 1 ids"),
        ([5, 6], {"price": ["a", 1]}, "'price' of item 0 must be a finite number"),
        ([5, 6], {"cost": [1, 1]}, "no attribute 'cost'"),
        ([5, 6], {"price": [1]}, "one value an item"),
        (["a", "b"], None, "ids must be int64"),
    ):
        with pytest.raises(InputError, match=said):
            index.upsert(ids, two, attributes)
        assert (len(index), index.stats().write_number) == (1, 0)
    with pytest.raises(InputError, match="one array of ids a query, 2, got 1"):
        index.search(two, 1, exclude=[np.array([1])])


def test_parameters_of_a_search_hold_for_it(rng: np.random.Generator) -> None:
    vectors = clustered(rng, 3000)
    index = Index.build(np.arange(3000), vectors, config=config("ivf"), queries=vectors[:64])
    few = index.search(vectors[:50], 10, parameters=Parameters(nprobe=1))
    all_ = index.search(vectors[:50], 10, parameters=Parameters(exact=True))
    assert not few.exact and all_.exact and (few.plan, all_.plan) == ("ivf", "exact")
    assert few.scores.sum() < all_.scores.sum()
    items = dict(enumerate(vectors))
    short = index.search(vectors[:5], 500, parameters=Parameters(nprobe=1))
    check_sound(short, vectors[:5], 500, items, "inner_product")
