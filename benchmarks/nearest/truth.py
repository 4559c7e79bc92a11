"""What the answers must be: all scores by numpy, and the share of the best that was found."""

import numpy as np
from numpy.typing import NDArray

QUERIES_A_BLOCK = 64

Float = NDArray[np.float32]
Int = NDArray[np.int64]


def best(vectors: Float, queries: Float, k: int) -> Int:
    """Gives the rows (Q, min(k, N)) of the largest inner products, in no order but for k of 1."""
    k = min(k, len(vectors))
    found = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), QUERIES_A_BLOCK):
        scores = queries[start : start + QUERIES_A_BLOCK] @ vectors.T
        rows = np.argpartition(scores, len(vectors) - k, axis=1)[:, len(vectors) - k :]
        found[start : start + len(rows)] = rows
    return found


def recall(found: Int, counts: Int, true: Int) -> float:
    """Gives the mean share of each query's true ids (Q, k) that its first `counts` found hold.

    An id found twice counts once; with nothing to find the recall is 1.
    """
    if not true.size:
        return 1.0
    shares = [
        len(np.intersect1d(row[:count], wanted)) / len(wanted)
        for row, count, wanted in zip(found, counts, true, strict=True)
    ]
    return float(np.mean(shares))
