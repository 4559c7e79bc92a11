"""The harness of `benchmarks.retrieval`: what it takes for the truth, and what it lets arrive."""

import numpy as np
import pytest

from benchmarks.nearest.filters import SHARES, Shop
from benchmarks.nearest.items import Items
from benchmarks.nearest.timing import overhead
from benchmarks.nearest.truth import best, recall
from benchmarks.nearest.vectors import TUNING, VectorSet, arrivals, planted, spectrum
from recsys_embed.index import Index


@pytest.fixture(scope="module")
def small() -> VectorSet:
    return planted(items=2000, queries=TUNING + 60, dim=8)


def test_recall_counts_each_true_item_once_and_nothing_behind_the_count() -> None:
    found = np.array([[1, 2, 3], [7, 7, 9]])
    true = np.array([[3, 2, 5], [7, 8, 9]])
    assert recall(found, np.array([3, 3]), true) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert recall(found, np.array([2, 1]), true) == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert recall(found, np.array([0, 0]), true) == 0
    assert recall(found, np.array([3, 3]), np.empty((2, 0), np.int64)) == 1


@pytest.mark.parametrize("count", [0, 1, 64, 65, 300])
def test_best_are_the_first_of_all_scores_sorted(count: int) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, 4)).astype(np.float32)
    queries = rng.standard_normal((70, 4)).astype(np.float32)
    found = best(vectors, queries, 10)
    assert found.shape == (70, min(10, count))
    for query, rows in zip(queries, found, strict=True):
        ranked = sorted(range(count), key=lambda row: -float(vectors[row] @ query))
        assert set(rows.tolist()) == set(ranked[:10])


@pytest.mark.parametrize("make", [planted, spectrum])
def test_items_and_queries_arrive_once_and_groups_whole(make: type) -> None:
    made = make(items=2000, queries=TUNING + 60, dim=8)
    coming = arrivals(made, rounds=4)
    parts = [coming.first, *coming.later]
    assert sorted(np.concatenate(parts).tolist()) == list(range(2000))
    groups = [set(made.groups[part].tolist()) for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) and all(groups)
    assert len(coming.old) + sum(map(len, coming.new)) == 60
    for queries, part in zip([coming.old, *coming.new], parts, strict=True):
        assert np.isin(best(made.vectors, queries, 1), part).all()


def test_after_churn_the_index_holds_what_items_say(small: VectorSet) -> None:
    coming, rng = arrivals(small, rounds=4), np.random.default_rng(0)
    items, first = Items(small, coming.first), coming.first
    index = Index.build(small.ids[first], small.vectors[first])
    for arriving in coming.later:
        before = items.alive.sum()
        written = items.churn(index, arriving, share=0.33, batch=100, rng=rng)
        leaving = int(0.33 * before)
        assert written == leaving + max(leaving, len(arriving))
        assert len(index) == items.alive.sum() == before - leaving + max(leaving, len(arriving))
        held, there = index.vectors_of(small.ids)
        assert (there == items.alive).all()
        assert (held[there] == items.vectors[items.alive]).all()
    moved = (items.vectors[first] != small.vectors[first]).any(axis=1)
    assert moved.any(), "nobody came back with another vector"
    gone = small.ids[~items.alive]
    assert items.gone_before(np.inf, small.ids[items.alive]) == 0
    assert len(gone) and items.gone_before(np.inf, gone) == len(gone)
    assert items.gone_before(-np.inf, gone) == 0


def test_filters_admit_the_shares_that_name_them(small: VectorSet) -> None:
    for name, how, _, matches in Shop(small).filters():
        expected = SHARES[name] * len(small.ids)
        spread = 1 if how == "by_place" else 5 * np.sqrt(expected)
        assert abs(matches.sum() - expected) <= spread
        if how == "by_place" and name == "50":
            shares = [matches[small.groups == g].mean() for g in np.unique(small.groups)]
            assert sum(0 < share < 1 for share in shares) <= 1, "a bound divides one group"


def test_overhead_is_the_median_share_above_the_peer() -> None:
    figure = overhead("key", [(1.1e-3, 1e-3), (6e-3, 5e-3), (9e-3, 3e-3)])
    assert figure.value == pytest.approx(0.2)
    assert (figure.ours, figure.peer) == (pytest.approx(6.0), pytest.approx(3.0))
