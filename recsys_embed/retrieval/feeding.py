"""A tower is fed numbers as they are, and ids as their pooled vectors at a moment."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.retrieval.description import Ids, Tower
from recsys_embed.retrieval.inputs import Bag, Encoded
from recsys_embed.snapshot.readable import ReadableTable

Feed = dict[str, NDArray[np.float32]]


def feed(tower: Tower, encoded: Encoded, tables: Mapping[str, ReadableTable]) -> Feed:
    """Gives the tower's inputs by name: float32 (B, D) for ids, (B, 1) for numbers.

    Sums run in the order of the ids, in float32; a mean is the sum over their number.

    Raises:
        InputError: for a table that is not there.
    """
    return {
        one.feature: _pooled(one, encoded[one.feature], tables)
        if isinstance(one, Ids)
        else np.asarray(encoded[one.feature], np.float32)
        for one in tower.inputs
    }


def _pooled(one: Ids, bag: object, tables: Mapping[str, ReadableTable]) -> NDArray[np.float32]:
    assert isinstance(bag, Bag)  # as `encode` gives for ids
    if one.table not in tables:
        raise InputError(
            f"feature {one.feature!r} reads table {one.table!r}; there are {sorted(tables)}"
        )
    found = tables[one.table].lookup(bag.values, missing=one.missing, feature=one.of or None)
    return pool(found.values, bag.offsets, one.pooling == "mean")


def pool(
    vectors: NDArray[np.float32], offsets: NDArray[np.int64], mean: bool
) -> NDArray[np.float32]:
    """Sums, or averages, the vectors (N, D) of each bag; a bag of none is a zero vector.

    Example:
        >>> pool(np.float32([[1], [2], [5]]), np.array([0, 2, 2, 3]), mean=True).ravel()
        array([1.5, 0. , 5. ], dtype=float32)
    """
    counts = np.diff(offsets)
    pooled = np.zeros((len(counts), vectors.shape[1]), np.float32)
    filled = counts > 0
    if filled.all() and len(vectors) == len(counts):
        return vectors
    if len(vectors):
        pooled[filled] = np.add.reduceat(vectors, offsets[:-1][filled], axis=0)
    if mean:
        pooled /= np.maximum(counts, 1)[:, None].astype(np.float32)
    return pooled
