"""Diversity does what its definition says, on numbers that are exact in every order of adding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import InputError
from recsys_embed.retrieval.diversity import capped, mmr
from tests.reference import diversity as reference

BALANCES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
ROWS = st.lists(
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "brand": st.sampled_from("abc"),
            "topics": st.lists(st.sampled_from("xyz"), unique=True).map(tuple),
            "year": st.sampled_from([1, 2]),
        },
    ),
    max_size=12,
)
CAPS = st.dictionaries(st.sampled_from(["brand", "topics", "year"]), st.integers(1, 3))


@st.composite
def pools(draw) -> tuple[np.ndarray, np.ndarray]:
    n, dim = draw(st.integers(0, 12)), draw(st.integers(1, 3))
    whole = np.random.default_rng(draw(st.integers(0, 10**6)))
    scores, vectors = whole.integers(-4, 5, n), whole.integers(-4, 5, (n, dim))
    return scores.astype(np.float32), vectors.astype(np.float32)


@settings(max_examples=200)
@given(pools(), st.integers(0, 12), BALANCES)
def test_mmr_chooses_as_its_definition_does(pool, k: int, balance: float) -> None:
    chosen = mmr(*pool, k, balance)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == reference.mmr(*pool, k, balance)


@given(pools(), st.integers(0, 12))
def test_balance_of_one_is_the_order_of_scores(pool, k: int) -> None:
    assert mmr(*pool, k, 1.0).tolist() == np.argsort(-pool[0], kind="stable")[:k].tolist()


@given(pools(), BALANCES)
def test_fewer_results_are_the_first_of_more(pool, balance: float) -> None:
    every = mmr(*pool, len(pool[0]), balance).tolist()
    for k in range(len(every)):
        assert mmr(*pool, k, balance).tolist() == every[:k]


def test_a_copy_of_a_chosen_item_waits_for_what_is_new() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert mmr(np.array([1, 1, 0.6], np.float32), vectors, 3, 0.5).tolist() == [0, 2, 1]


@settings(max_examples=300)
@given(ROWS, CAPS, st.integers(1, 12))
def test_caps_keep_what_their_definition_keeps(rows, caps: dict, k: int) -> None:
    kept = capped(rows, caps, k)
    assert kept.dtype == np.int64
    assert kept.tolist() == reference.capped(rows, caps, k)


ONE = np.ones(1, np.float32)
MATRIX = np.ones((1, 2), np.float32)


@pytest.mark.parametrize(
    ("scores", "vectors", "k", "balance", "sentence"),
    [
        (ONE, np.ones((2, 2), np.float32), 1, 0.5, r"got \(1,\) and \(2, 2\)"),
        (MATRIX, MATRIX, 1, 0.5, r"got \(1, 2\) and \(1, 2\)"),
        (ONE, MATRIX, 1, 1.5, r"balance must be in \[0, 1\], got 1.5"),
        (ONE, MATRIX, 1, float("nan"), r"balance must be in \[0, 1\], got nan"),
        (ONE, MATRIX, -1, 0.5, "k must not be negative, got -1"),
    ],
)
def test_what_mmr_cannot_do_is_refused(scores, vectors, k, balance, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        mmr(scores, vectors, k, balance)


def test_caps_that_keep_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="cap of 'brand' must be at least 1, got 0"):
        capped([{}], {"brand": 0}, 1)
    with pytest.raises(InputError, match="k must not be negative, got -2"):
        capped([{}], {}, -2)
