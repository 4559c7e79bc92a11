"""Choosing the best among scored slots."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.engines.protocol import Floats, Hits, Slots

ROWS_BYTES = 1 << 19  # of vectors that are taken out and scored while they are in the cache
SCORES_BYTES = 1 << 25
TAKEN_BYTES = 1 << 22  # of vectors taken out at once, whatever the number of queries and results


def best(hits: Hits, k: int) -> Hits:
    """Gives the k best of each query, best first; of equal scores, which ones is left open.

    Args:
        hits: in any order, (Q, M); scores of -inf stand for nothing.
        k: at least 1; fewer columns come back if there are fewer than k.

    Example:
        >>> best(Hits(np.array([[5, 6, 7]]), np.array([[1.0, 3.0, 2.0]], np.float32)), 2).slots
        array([[6, 7]])
    """
    slots, scores = hits
    if scores.shape[1] > 4 * k:
        chosen = np.argpartition(scores, -k, axis=1)[:, -k:]
        chosen.sort(axis=1)
        slots, scores = _at(slots, chosen), _at(scores, chosen)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Hits(_at(slots, order), _at(scores, order))


def joined(first: Hits, second: Hits, k: int) -> Hits:
    """Gives the k best of two answers to the same queries, which have no slot in common."""
    return best(beside(first, second), k)


def beside(first: Hits, second: Hits) -> Hits:
    """Puts the hits of the same queries side by side."""
    slots = np.concatenate([first.slots, second.slots], 1)
    return Hits(slots, np.concatenate([first.scores, second.scores], 1))


def without(hits: Hits, unwanted: NDArray[np.bool_], k: int) -> Hits:
    """Gives the k best that are wanted; `hits` are best first."""
    slots = np.where(unwanted, -1, hits.slots)
    scores = np.where(unwanted, np.float32(-np.inf), hits.scores)
    return best(Hits(slots, scores), k)


def rescored(hits: Hits, queries: Floats, vectors: Floats, k: int) -> Hits:
    """Gives the k best by inner products of the full vectors (capacity, D), by slot."""
    slots = hits.slots
    scores = np.empty(slots.shape, np.float32)
    rows = max(1, TAKEN_BYTES // (4 * vectors.shape[1] * max(1, slots.shape[1])))
    for start in range(0, len(slots), rows):
        part = slice(start, start + rows)
        taken = vectors.take(np.maximum(slots[part], 0), axis=0)  # what -1 took is masked below
        np.matmul(taken, queries[part, :, None], out=scores[part, :, None])
    scores[slots < 0] = -np.inf
    return best(Hits(slots, scores), k)


def gathered(slots: Slots, vectors: Floats, queries: Floats, k: int) -> Hits:
    """Scores the vectors at some slots, all of them, for every query.

    Args:
        slots: int64 (m,).
        vectors: float32 (capacity, D), by slot.
        queries: float32 (Q, D).
        k: at least 1.
    """
    most = max(1, SCORES_BYTES // (4 * max(1, len(slots))))
    if len(queries) > most:
        parts = range(0, len(queries), most)
        hits = [gathered(slots, vectors, queries[at : at + most], k) for at in parts]
        return Hits(
            np.concatenate([h.slots for h in hits]), np.concatenate([h.scores for h in hits])
        )
    scores = np.empty((len(queries), len(slots)), np.float32)
    rows = max(1, ROWS_BYTES // (4 * vectors.shape[1]))
    buffer = np.empty((min(rows, len(slots)), vectors.shape[1]), np.float32)
    for start in range(0, len(slots), rows):
        part = slots[start : start + rows]
        taken = buffer[: len(part)]  # the same memory again and again, which stays in the cache
        vectors.take(part, axis=0, out=taken, mode="clip")  # else numpy takes a buffer of its own
        np.matmul(queries, taken.T, out=scores[:, start : start + rows])
    return best(Hits(np.broadcast_to(slots, scores.shape), scores), k)


def nothing(queries: int, k: int) -> Hits:
    """Gives an answer without hits, (queries, k)."""
    return Hits(np.full((queries, k), -1), np.full((queries, k), -np.inf, np.float32))


def widened(hits: Hits, k: int) -> Hits:
    """Gives the same hits in k columns."""
    missing = k - hits.slots.shape[1]
    if missing <= 0:
        return hits
    return beside(hits, nothing(len(hits.slots), missing))


def _at(values: NDArray[Any], order: NDArray[np.int64]) -> NDArray[Any]:
    return np.take_along_axis(values, order, axis=1)
