"""Pooling of vectors that exist one by one, for row maps whose rows the core cannot just sum."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def pool(vectors: Floats, offsets: NDArray[np.int64], weights: Floats | None, mode: str) -> Floats:
    """Sums or averages the vectors (N, D) of each bag, (B, D); an empty bag gives zeros.

    Example:
        >>> pool(np.float32([[1], [2], [4]]), np.array([0, 2, 2, 3]), None, "mean").tolist()
        [[1.5], [0.0], [4.0]]
    """
    weighted = vectors if weights is None else vectors * weights[:, None]
    lengths = np.diff(offsets)
    pooled = np.zeros((len(lengths), vectors.shape[1]), np.float32)
    filled = lengths > 0
    if filled.any():
        pooled[filled] = np.add.reduceat(weighted, offsets[:-1][filled], axis=0)
    return pooled / _counts(lengths) if mode == "mean" else pooled


def unpool(grads: Floats, offsets: NDArray[np.int64], weights: Floats | None, mode: str) -> Floats:
    """Gives each id its part of its bag's gradient, (N, D) from (B, D).

    Example:
        >>> unpool(np.float32([[6], [1], [5]]), np.array([0, 2, 2, 3]), None, "mean").tolist()
        [[3.0], [3.0], [5.0]]
    """
    lengths = np.diff(offsets)
    if mode == "mean":
        grads = grads / _counts(lengths)
    own = np.repeat(grads, lengths, axis=0)
    return own if weights is None else own * weights[:, None]


def _counts(lengths: NDArray[np.int64]) -> Floats:
    return np.maximum(lengths, 1).astype(np.float32)[:, None]
