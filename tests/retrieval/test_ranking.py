"""Full ranking against one user and one item at a time, and against order among equals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError
from tests.reference.ranking import ranking
from training.retrieval import ranking as module
from training.retrieval.interactions import NO_PAIRS, Pairs
from training.retrieval.ranking import hits_of, rank


def pairs_of(mask: np.ndarray) -> Pairs:
    return Pairs(*(side.astype(np.int64) for side in np.nonzero(mask)))


def sets_of(mask: np.ndarray) -> list[set[int]]:
    return [set(np.flatnonzero(row).tolist()) for row in mask]


@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(1, 9), st.data())
def test_figures_are_those_of_counting_by_hand(
    seed: int, users: int, items: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, items))
    rng = np.random.default_rng(seed)
    vectors = [torch.from_numpy(rng.normal(size=(n, 8))) for n in (users, items)]
    seen = rng.random((users, items)) < 0.3
    relevant = (rng.random((users, items)) < 0.3) & ~seen
    got = rank((vectors[0], vectors[1]), pairs_of(relevant), pairs_of(seen), k)
    scores = (vectors[0] @ vectors[1].T).tolist()
    assert got == pytest.approx(ranking(scores, sets_of(relevant), sets_of(seen), k))


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors = torch.randn(23, 4), torch.randn(40, 4)
    relevant, seen = (pairs_of(rng.random((23, 40)) < 0.1) for _ in range(2))
    whole = rank(vectors, relevant, seen, 5)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert rank(vectors, relevant, seen, 5) == pytest.approx(whole)


def test_only_the_asked_users_count() -> None:
    vectors = torch.eye(3), torch.eye(3)
    relevant = Pairs(np.arange(3), np.array([0, 1, 0]))
    assert rank(vectors, relevant, NO_PAIRS, 1).recall == pytest.approx(2 / 3)
    asked = rank(vectors, relevant, NO_PAIRS, 1, users=np.array([0, 1, 7]))
    assert asked == (1.0, 1.0, 1.0, 2)


def test_equals_come_in_an_order_that_their_numbers_do_not_tell() -> None:
    vectors = torch.ones(500, 2), torch.ones(10, 2)
    relevant = Pairs(np.arange(500), np.zeros(500, np.int64))
    figures = [rank(vectors, relevant, NO_PAIRS, 5, seed=s).recall for s in range(40)]
    assert {0.0, 1.0} == set(figures)
    assert 0.2 < float(np.mean(figures)) < 0.8


def test_more_places_than_items_are_refused() -> None:
    with pytest.raises(InputError, match=r"k must be in \[1, 3\]"):
        rank((torch.ones(2, 2), torch.ones(3, 2)), NO_PAIRS, NO_PAIRS, 4)


def test_hits_are_of_the_user_s_own_pairs_and_each_pair_counts_once() -> None:
    relevant = Pairs(np.array([0, 0, 2]), np.array([1, 1, 0]))
    hits, number = hits_of(np.array([[1, 0], [-1, 1]]), np.array([0, 1]), relevant)
    assert hits.tolist() == [[True, False], [False, False]] and number.tolist() == [1, 0]
