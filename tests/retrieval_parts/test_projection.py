"""No linear maps of the same dimension keep inner products with these queries better."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError
from recsys_embed.index.projection import Projection, learn_projection

D = 8


def sample(seed: int, queries: int = 300, items: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Queries and items that each have long and short directions, not the same ones."""
    rng = np.random.default_rng(seed)
    stretched = [
        rng.normal(size=(n, D))
        * rng.exponential(2, size=D)
        @ np.linalg.qr(rng.normal(size=(D, D)))[0]
        for n in (queries, items)
    ]
    return stretched[0].astype(np.float32), stretched[1].astype(np.float32)


def mean_error(queries: np.ndarray, items: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Averages (<q, x> - <A q, B x>)^2 over all pairs."""
    wide = queries.astype(np.float64), items.astype(np.float64)
    return float(((wide[0] @ wide[1].T - (wide[0] @ a.T) @ (wide[1] @ b.T).T) ** 2).mean())


@given(st.integers(0, 10**6), st.integers(1, D))
def test_the_error_is_the_sum_of_the_eigenvalues_left_out(seed: int, dim: int) -> None:
    queries, items = sample(seed)
    learned = learn_projection(queries, items, dim, shrinkage=0)
    error = mean_error(queries, items, learned.queries, learned.items)
    assert error == pytest.approx(learned.expected_error, rel=1e-3, abs=1e-9 * learned.spectrum[0])
    whole = mean_error(queries, items, np.zeros((1, D)), np.zeros((1, D)))
    assert learned.spectrum.sum() == pytest.approx(whole)


@given(st.integers(0, 10**6), st.integers(1, D - 1))
def test_no_other_maps_do_better(seed: int, dim: int) -> None:
    queries, items = sample(seed)
    learned = learn_projection(queries, items, dim, shrinkage=0)
    error = mean_error(queries, items, learned.queries, learned.items)
    axes = np.linalg.svd(items.astype(np.float64))[2][:dim]  # PCA of the items
    assert error <= mean_error(queries, items, axes, axes) * (1 + 1e-6)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 1e-2, 1e-1):
        a = learned.queries + size * rng.normal(size=(dim, D))
        b = learned.items + size * rng.normal(size=(dim, D))
        assert error <= mean_error(queries, items, a, b) * (1 + 1e-6)


def test_queries_elsewhere_than_items_are_where_it_pays() -> None:
    """Items are long where queries are not: PCA keeps what nobody asks for."""
    rng = np.random.default_rng(5)
    items = (rng.normal(size=(500, D)) * [9, 9, 9, 9, 1, 1, 1, 1]).astype(np.float32)
    queries = (rng.normal(size=(500, D)) * [0, 0, 0, 0, 1, 1, 1, 1]).astype(np.float32)
    learned = learn_projection(queries, items, 4)
    axes = np.linalg.svd(items)[2][:4]
    whole = mean_error(queries, items, np.zeros((1, D)), np.zeros((1, D)))
    assert mean_error(queries, items, learned.queries, learned.items) < 0.01 * whole
    assert mean_error(queries, items, axes, axes) > 0.9 * whole


def test_queries_from_everywhere_make_it_the_components_of_the_items() -> None:
    queries = np.concatenate([np.eye(D), -np.eye(D)]).astype(np.float32)
    items = sample(1)[1]
    learned = learn_projection(queries, items, 3)
    axes = np.linalg.svd(items.astype(np.float64))[2][:3]
    scores = learned.of_queries(queries) @ learned.of_items(items).T
    np.testing.assert_allclose(scores, queries @ (items @ axes.T @ axes).T, atol=1e-2)


@pytest.mark.parametrize("of", [1, 3, 300])
def test_all_dimensions_lose_nothing_even_for_unseen_queries(of: int) -> None:
    queries, items = sample(2, queries=of)
    learned = learn_projection(queries, items, D)
    unseen = sample(3)[0]
    scores = learned.of_queries(unseen) @ learned.of_items(items).T
    np.testing.assert_allclose(scores, unseen @ items.T, atol=2e-2)


def test_a_projection_comes_back_from_its_arrays() -> None:
    queries, items = sample(4)
    learned = learn_projection(queries, items, 3)
    again = Projection.from_arrays(learned.arrays())
    assert again.dim == 3 and again.expected_error == learned.expected_error
    np.testing.assert_array_equal(again.of_queries(queries), learned.of_queries(queries))
    np.testing.assert_array_equal(again.of_items(items), learned.of_items(items))


X = np.ones((2, 3), np.float32)
A, SPECTRUM = np.ones((2, 3), np.float32), np.ones(3)
REFUSED: dict[str, tuple[Any, str]] = {
    "other widths": (lambda: learn_projection(X[:, :2], X, 1), r"got \(2, 2\) and \(2, 3\)"),
    "no queries": (lambda: learn_projection(X[:0], X, 1), r"at least one each; got \(0, 3\)"),
    "no items": (lambda: learn_projection(X, X[:0], 1), r"at least one each; got \(2, 3\)"),
    "one query flat": (lambda: learn_projection(X[0], X, 1), r"got \(3,\) and"),
    "NaN": (lambda: learn_projection(X, X * np.nan, 1), "items must be finite"),
    "no dimension": (lambda: learn_projection(X, X, 0), r"dim must be in \[1, 3\], got 0"),
    "too many dimensions": (lambda: learn_projection(X, X, 4), r"dim must be in \[1, 3\], got 4"),
    "shrinkage of 2": (lambda: learn_projection(X, X, 1, 2), r"shrinkage .* got 2"),
    "queries of nothing": (lambda: learn_projection(X * 0, X, 1), "queries that are not all zeros"),
    "A and B of other shapes": (lambda: Projection(A, A[:1], SPECTRUM), r"\(2, 3\), \(1, 3\)"),
    "another spectrum": (lambda: Projection(A, A, SPECTRUM[:2]), r"D eigenvalues, got .*\(2,\)"),
    "more dimensions than there are": (
        lambda: Projection(np.ones((4, 3), np.float32), np.ones((4, 3), np.float32), SPECTRUM),
        "1 to 3 dimensions, got 4",
    ),
    "an endless A": (lambda: Projection(A * np.inf, A, SPECTRUM), "must be finite"),
    "arrays of another dtype": (
        lambda: Projection.from_arrays({"queries": A, "items": A, "spectrum": A[0]}),
        "a projection is spelled by .*'spectrum': '<f8'.*, got",
    ),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_no_projection_can_be_learned_from_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
