"""Results that are unlike each other: maximal marginal relevance, and caps on what they share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


def mmr(scores: Floats, vectors: Floats, k: int, balance: float) -> Places:
    """Chooses one item after the other: argmax balance * score - (1 - balance) * nearness.

    Nearness is the greatest inner product with an item chosen before, 0 for the first. It competes
    with the score, so vectors must be those the score comes from: of length 1 under cosine. Of
    equal ones the first in the given order is chosen. O(k N D). Maximal marginal relevance:
    Carbonell and Goldstein, SIGIR 1998.

    Args:
        scores: float32 (N,), how well each item answers the query.
        vectors: float32 (N, D), of the items.
        k: how many to choose; all if there are fewer.
        balance: lambda in [0, 1]; 1 orders by score, 0 by distance from what was chosen.

    Returns:
        Positions of the chosen ones in the order of choice, int64 (min(k, N),).

    Raises:
        InputError: for shapes that do not fit, a balance out of [0, 1] or a negative k.

    Example:
        >>> vectors = np.array([[1, 0], [0.99, 0.14], [0, 1]], np.float32)
        >>> scores = np.array([0.9, 0.88, 0.5], np.float32)
        >>> mmr(scores, vectors, k=2, balance=0.5)  # the second is nearly the first
        array([0, 2])
    """
    _check(scores, vectors, k, balance)
    relevance = balance * scores.astype(np.float64)
    wide, chosen = vectors.astype(np.float64), np.zeros(min(k, len(scores)), np.int64)
    nearness = np.zeros(len(scores))
    for place in range(len(chosen)):
        best = int(np.argmax(relevance - (1 - balance) * nearness))
        near = wide @ wide[best]
        nearness = np.maximum(nearness, near) if place else near
        relevance[best] = -np.inf
        chosen[place] = best
    return chosen


def capped(rows: Sequence[Mapping[str, Any] | None], caps: Mapping[str, int], k: int) -> Places:
    """Keeps the first k items of which no more than the cap share a value of an attribute.

    An item goes if it would be one too many for any value that it has; each of its tags counts. An
    absent value is shared with nobody.

    Args:
        rows: attributes of N items, best first; None for an item without any.
        caps: by attribute how many may share a value, at least 1.
        k: how many to keep at most.

    Returns:
        Positions of those that stay, ascending, int64 of shape (<= k,).

    Raises:
        InputError: for a cap below 1 or a negative k.

    Example:
        >>> capped([{"brand": "a"}, {"brand": "a"}, {}, {"brand": "b"}], {"brand": 1}, k=3)
        array([0, 2, 3])
    """
    if k < 0:
        raise InputError(f"k must not be negative, got {k}")
    for name, most in caps.items():
        if most < 1:
            raise InputError(f"the cap of {name!r} must be at least 1, got {most}")
    taken: Counter[tuple[str, Any]] = Counter()
    kept: list[int] = []
    for place, row in enumerate(rows):
        if len(kept) == k:
            break
        values = [(name, value) for name in caps for value in _values((row or {}).get(name))]
        if all(taken[value] < caps[value[0]] for value in values):
            taken.update(values)
            kept.append(place)
    return np.array(kept, np.int64)


def _values(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return tuple(dict.fromkeys(value)) if isinstance(value, list | tuple) else (value,)


def _check(scores: Floats, vectors: Floats, k: int, balance: float) -> None:
    if scores.ndim != 1 or vectors.ndim != 2 or len(scores) != len(vectors):
        raise InputError(
            f"expected scores (N,) and vectors (N, D), got {scores.shape} and {vectors.shape}"
        )
    if not 0 <= balance <= 1:
        raise InputError(f"balance must be in [0, 1], got {balance}")
    if k < 0:
        raise InputError(f"k must not be negative, got {k}")
