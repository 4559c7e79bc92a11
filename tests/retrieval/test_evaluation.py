"""Figures of recommendations against counting by hand, and by law."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError
from tests.reference import evaluation as slow
from tests.retrieval.test_ranking import pairs_of, sets_of
from training.retrieval.evaluation import evaluate, gini
from training.retrieval.interactions import NO_PAIRS, Pairs
from training.retrieval.ranking import best_items, rank

SEGMENTS = ("head", "torso", "tail", "unseen")


@given(
    st.integers(0, 10**6),
    st.integers(0, 6),
    st.integers(1, 9),
    st.lists(st.integers(0, 8), max_size=30),
    st.data(),
)
def test_figures_are_those_of_counting_by_hand(
    seed: int, users: int, items: int, shown: list[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, items))
    shown = [item for item in shown if item < items]
    rng = np.random.default_rng(seed)
    best = np.array([rng.permutation(items)[:k] for _ in range(users)], np.int64).reshape(-1, k)
    best[rng.random(best.shape) < 0.1] = -1
    relevant = rng.random((users, items)) < 0.4
    got = evaluate(best, np.arange(users), pairs_of(relevant), np.array(shown, np.int64), items)
    rows, wanted = best.tolist(), sets_of(relevant)
    assert tuple(got.all) == pytest.approx(slow.found(rows, wanted), nan_ok=True)
    places = slow.segment_of(shown)
    for name in SEGMENTS:
        part = [{i for i in own if places.get(i, "unseen") == name} for own in wanted]
        assert tuple(got.segments[name]) == pytest.approx(slow.found(rows, part), nan_ok=True)
    given_items = [item for row in rows for item in row if item >= 0]
    taken = [item for own in wanted for item in own]
    assert got.coverage == len(set(given_items)) / items
    for mean, chosen in ((got.popularity, given_items), (got.consumed_popularity, taken)):
        counts = [shown.count(item) for item in chosen]
        assert mean == pytest.approx(sum(counts) / len(counts) if counts else math.nan, nan_ok=True)
    counts = [given_items.count(item) for item in range(items)]
    assert got.gini == pytest.approx(slow.gini(counts), nan_ok=True)


def test_it_agrees_with_ranking_all_items() -> None:
    rng = np.random.default_rng(1)
    vectors = torch.randn(23, 4), torch.randn(40, 4)
    seen = rng.random((23, 40)) < 0.2
    relevant = (rng.random((23, 40)) < 0.2) & ~seen
    users = np.arange(23)
    best = best_items(vectors, pairs_of(seen), users, 5)
    got = evaluate(best, users, pairs_of(relevant), pairs_of(seen).items, 40)
    expected = rank(vectors, pairs_of(relevant), pairs_of(seen), 5)
    assert got.all[:2] == pytest.approx((expected.recall, expected.ndcg))
    assert got.all.users == expected.users
    assert not seen[users[:, None], best].any()


def test_users_without_a_row_do_not_count() -> None:
    relevant = Pairs(np.array([3, 9, 9]), np.array([1, 0, 1]))
    got = evaluate(np.array([[1]]), np.array([3]), relevant, np.array([1]), 2)
    assert got.all == (1.0, 1.0, 1.0, 1) and got.consumed_popularity == 1.0


def test_more_popular_than_consumed() -> None:
    shown, relevant = np.array([0, 0, 0, 0, 1]), Pairs(np.array([0, 1]), np.array([1, 1]))
    got = evaluate(np.array([[0], [0]]), np.arange(2), relevant, shown, 3)
    assert got.popularity_bias == 4.0
    nobody = evaluate(np.empty((0, 2), np.int64), np.arange(0), NO_PAIRS, shown, 3)
    assert math.isnan(nobody.popularity_bias) and math.isnan(nobody.gini)
    assert nobody.coverage == 0.0 and nobody.all.users == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(1, 5))
def test_gini_is_between_equality_and_one_item_alone(counts: list[int], times: int) -> None:
    value = gini(np.array(counts))
    assert math.isnan(value) or 0 <= value <= 1 - 1 / len(counts) + 1e-12
    assert gini(np.array(counts) * times) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("best", "users", "message"),
    [
        ([[5]], [0], r"in \[0, 5\)"),
        ([[-2]], [0], r"in \[0, 5\)"),
        ([[0], [1]], [0], "a row of items for each"),
        ([[0], [1]], [0, 0], "a row of items for each"),
        ([0], [0], "a row of items for each"),
    ],
)
def test_what_cannot_be_judged_is_refused(best: list, users: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(np.array(best), np.array(users), NO_PAIRS, np.array([0]), 5)
