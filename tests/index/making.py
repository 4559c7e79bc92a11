"""Vectors whose neighbours are known, and the slow search that an index must agree with."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index import Found

Floats = NDArray[np.float32]


def best_by_hand(query: Floats, items: Mapping[int, Floats], metric: str) -> list[float]:
    """Gives every item's score, the highest first, one by one in float64."""
    return sorted((score(query, vector, metric) for vector in items.values()), reverse=True)


def score(query: Floats, vector: Floats, metric: str) -> float:
    q, v = query.astype(np.float64), vector.astype(np.float64)
    if metric == "inner_product":
        return float(sum(q * v))
    lengths = float(np.sqrt(sum(q * q)) * np.sqrt(sum(v * v)))
    return float(sum(q * v)) / lengths if lengths else 0.0


def check_exact(
    found: Found, queries: Floats, k: int, items: Mapping[int, Floats], metric: str
) -> None:
    """Holds an exact answer to the slow search; which of equal scores come is left open."""
    check_sound(found, queries, k, items, metric)
    for row, query in enumerate(queries):
        wanted = best_by_hand(query, items, metric)[:k]
        np.testing.assert_allclose(found.scores[row, : len(wanted)], wanted, rtol=1e-4, atol=1e-4)


def check_sound(
    found: Found, queries: Floats, k: int, items: Mapping[int, Floats], metric: str
) -> None:
    """Holds any answer to what even an approximate one must be."""
    assert found.ids.shape == found.scores.shape == (len(queries), k)
    assert found.ids.dtype == np.int64 and found.scores.dtype == np.float32
    assert found.counts.tolist() == [min(k, len(items))] * len(queries)
    for row, query in enumerate(queries):
        count = found.counts[row]
        ids, scores = found.ids[row, :count], found.scores[row, :count]
        assert len(set(ids.tolist())) == count, "an id comes twice"
        assert (np.diff(scores) <= 0).all(), "not best first"
        own = [score(query, items[i], metric) for i in ids.tolist()]
        np.testing.assert_allclose(scores, own, rtol=1e-4, atol=1e-4)
        assert (found.ids[row, count:] == 0).all()
        assert (found.scores[row, count:] == -np.inf).all()


def clustered(rng: np.random.Generator, count: int, dim: int = 16, clusters: int = 40) -> Floats:
    """Draws vectors around random centres."""
    centres = rng.standard_normal((clusters, dim))
    noise = 0.3 * rng.standard_normal((count, dim))
    return (centres[rng.integers(0, clusters, count)] + noise).astype(np.float32)
