"""An adapter turns scores into probabilities without changing any order."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError
from recsys_embed.retrieval.relevance import Adapter

DIM, HIDDEN = 3, 5
LARGE = float(np.finfo(np.float32).max)


def adapter(seed: int = 0, size: float = 1.0, **fields: Any) -> Adapter:
    """An adapter of random weights."""
    rng = np.random.default_rng(seed)
    own = {
        "hidden": size * rng.normal(size=(DIM + 1, HIDDEN)),
        "output": size * rng.normal(size=(HIDDEN + 1, 3)),
        "bounds": np.array([-0.5, 1.0]),
        "unit": np.array(0, np.uint8),
        "thresholds": np.array([0.1, 0.4, 0.7]),
        "recall": np.array([1.0, 0.75, 0.25]),
        "precision": np.array([0.2, 0.5, 0.9]),
    }
    return Adapter(**{**own, **fields})


@given(
    st.integers(0, 10**6),
    st.sampled_from([0.1, 1.0, 10.0, 100.0]),
    st.lists(st.floats(-LARGE, LARGE, width=32) | st.floats(-1, 1, width=32), max_size=20),
)
def test_probabilities_grow_with_the_score_for_every_query(
    seed: int, size: float, scores: list[float]
) -> None:
    queries = np.random.default_rng(seed).normal(size=(4, DIM)).astype(np.float32)
    ascending = np.tile(np.sort(np.array(scores, np.float32)), (4, 1))
    found = adapter(seed, size).probability(queries, ascending)
    assert found.shape == ascending.shape and found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found, axis=1) >= 0).all()


@given(st.integers(0, 10**6))
def test_scores_that_differ_give_probabilities_that_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(2, DIM)).astype(np.float32)
    scores = np.array([[-0.5, -0.3, 0.1, 0.5, 0.9]] * 2, np.float32)
    assert (np.diff(adapter(seed, 0.3).probability(queries, scores), axis=1) > 0).all()


def test_the_map_is_the_power_function_that_the_network_chooses() -> None:
    one = adapter()
    q, score = np.array([0.2, -1.0, 0.5]), 0.25
    raw = np.tanh(np.append(q, 1) @ one.hidden) @ one.output[:-1] + one.output[-1]
    a, p = np.log(1 + np.exp(raw[:2])) + 1e-3
    expected = 1 / (1 + np.exp(-(a * ((score + 0.5) / 1.5) ** p + raw[2])))
    found = one.probability(q[None].astype(np.float32), np.array([[score]], np.float32))
    assert found[0, 0] == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 5), st.integers(0, 5))
def test_queries_and_results_do_not_see_each_other(queries: int, results: int) -> None:
    rng = np.random.default_rng(queries + 10 * results)
    q = rng.normal(size=(queries, DIM)).astype(np.float32)
    s = rng.normal(size=(queries, results)).astype(np.float32)
    together = adapter().probability(q, s)
    for row in range(queries):
        for column in range(results):
            alone = adapter().probability(q[row : row + 1], s[row : row + 1, column : column + 1])
            assert alone[0, 0] == pytest.approx(together[row, column], rel=1e-6)


@pytest.mark.parametrize("unit", [0, 1])
def test_the_length_of_a_query_counts_unless_it_says_nothing(unit: int) -> None:
    one = adapter(unit=np.array(unit, np.uint8))
    q, s = np.ones((1, DIM), np.float32), np.full((1, 1), 0.5, np.float32)
    same = one.probability(q, s) == pytest.approx(one.probability(3 * q, s), rel=1e-6)
    assert same == bool(unit)


def test_a_query_of_length_nothing_has_probabilities() -> None:
    one = adapter(unit=np.array(1, np.uint8))
    zero = one.probability(np.zeros((1, DIM), np.float32), np.ones((1, 2), np.float32))
    assert np.isfinite(zero).all()


def test_an_adapter_comes_back_from_its_arrays() -> None:
    one = adapter()
    again = Adapter.of(one.arrays())
    q, s = np.ones((2, DIM), np.float32), np.full((2, 3), 0.5, np.float32)
    np.testing.assert_array_equal(again.probability(q, s), one.probability(q, s))
    assert again.threshold(0.75) == one.threshold(0.75)


def test_a_threshold_keeps_the_recall_that_is_asked_for() -> None:
    one = adapter()
    assert [one.threshold(r) for r in (0.0, 0.25, 0.5, 0.75, 1.0)] == [0.7, 0.7, 0.4, 0.4, 0.1]
    nothing = np.zeros(0)
    bare = dataclasses.replace(one, thresholds=nothing, recall=nothing, precision=nothing)
    assert bare.threshold(0.5) == 0


Q, S = np.ones((2, DIM), np.float32), np.ones((2, 4), np.float32)
REFUSED: dict[str, tuple[Any, str]] = {
    "queries of another width": (
        lambda: adapter().probability(Q[:, :2], S),
        r"queries \(Q, 3\) and scores \(Q, K\), got \(2, 2\) and \(2, 4\)",
    ),
    "scores of other queries": (
        lambda: adapter().probability(Q, S[:1]),
        r"got \(2, 3\) and \(1, 4",
    ),
    "flat scores": (lambda: adapter().probability(Q, S[0]), r"got \(2, 3\) and \(4,\)"),
    "layers that do not fit": (lambda: adapter(output=np.ones((3, 3))), "do not fit each other"),
    "half a curve": (lambda: adapter(recall=np.ones(2)), "do not fit each other"),
    "one bound": (lambda: adapter(bounds=np.ones(1)), "do not fit each other"),
    "bounds that descend": (lambda: adapter(bounds=np.array([1.0, 0.0])), r"got \[1.0, 0.0\]"),
    "NaN": (lambda: adapter(bounds=np.array([0, np.nan])), "must be finite"),
    "arrays of other names": (lambda: Adapter.of({"hidden": np.ones(3)}), "adapter is spelled by"),
    "arrays of another dtype": (
        lambda: Adapter.of({**adapter().arrays(), "unit": np.array(0)}),
        "'unit': '|u1'.* got .*'unit': '<i8'",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_an_adapter_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
