"""Candidates the slow way: every item scored in float64, everything else by plain loops."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = Mapping[int, tuple[Floats, Mapping[str, Any]]]  # vector and attributes by item


def scores(rows: Rows, queries: Floats, metric: str) -> dict[int, list[float]]:
    """Every item's score with each query vector."""
    found = {}
    for id, (vector, _) in rows.items():
        found[id] = [_score(query, vector, metric) for query in queries]
    return found


def _score(query: Floats, vector: Floats, metric: str) -> float:
    product = float(np.dot(query.astype(np.float64), vector.astype(np.float64)))
    if metric == "inner_product":
        return product
    lengths = float(np.linalg.norm(query) * np.linalg.norm(vector))
    return product / lengths if lengths else 0.0


def best(
    rows: Rows,
    queries: Floats,
    k: int,
    *,
    metric: str = "cosine",
    where: Any = lambda attributes: True,
    exclude: Sequence[int] = (),
    least: float = -np.inf,
) -> list[tuple[int, float]]:
    """The k items with the largest of their scores, among those admitted."""
    admitted = {id: row for id, row in rows.items() if where(row[1]) and id not in set(exclude)}
    of = {id: max(found) for id, found in scores(admitted, queries, metric).items()}
    ranked = sorted(of.items(), key=lambda one: -one[1])[:k]
    return [one for one in ranked if one[1] >= least]
