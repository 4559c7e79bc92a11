"""What the calls of an index accept; else one sentence says what came."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import as_array, as_ids
from recsys_embed.errors import InputError
from recsys_embed.index.config import MAX_K, Metric

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
FLOAT_MAX = float(np.finfo(np.float32).max)
LARGEST = {"inner_product": 1e15, "cosine": FLOAT_MAX}  # sums of 2^16 products must not overflow


def as_vectors(values: ArrayLike, dim: int | None, metric: Metric, name: str) -> Floats:
    """Gives finite vectors (n, dim) as contiguous float32; of length 1 (or 0) under the cosine.

    Raises:
        InputError: for another dtype or shape, no dimensions, NaN or infinity, or numbers so large
            that inner products overflow.
    """
    array = as_array(values)
    dims = array.shape[1] if array.ndim == 2 else 0
    if array.dtype != np.float32 or not dims or dim not in (None, dims):
        wanted = "dimensions" if dim is None else dim
        raise InputError(
            f"{name} must be float32 of shape (number, {wanted}), got {array.dtype} of shape"
            f" {array.shape}"
        )
    if not np.abs(array).max(initial=0) <= LARGEST[metric]:  # nor is NaN
        raise _incomparable(array, metric, name)
    if metric == "cosine":
        return _of_length_one(array)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def comparable(vectors: Floats, metric: Metric) -> NDArray[np.bool_]:
    """Tells which vectors (n, D) an index takes, bool (n,).

    Example:
        >>> vectors = np.array([[1, 2], [1e30, 0], [np.nan, 0]], np.float32)
        >>> comparable(vectors, "inner_product"), comparable(vectors, "cosine")
        (array([ True, False, False]), array([ True,  True, False]))
    """
    fits: NDArray[np.bool_] = np.abs(vectors).max(axis=1, initial=0) <= LARGEST[metric]
    return fits


def _incomparable(vectors: Floats, metric: Metric, name: str) -> InputError:
    at = int(np.argmin(comparable(vectors, metric)))
    if not np.isfinite(vectors[at]).all():
        return InputError(f"{name} must be finite, but number {at} holds NaN or infinity")
    return InputError(
        f"{name} must lie within {LARGEST[metric]:g} of 0, for inner products to fit float32, but"
        f" number {at} holds {vectors[at][np.argmax(np.abs(vectors[at]))]:g}"
    )


def _of_length_one(vectors: Floats) -> Floats:
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = vectors / np.where(largest > 0, largest, 1)  # squares neither over- nor underflow
    lengths = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))[:, None]
    return np.ascontiguousarray(scaled / np.where(lengths > 0, lengths, 1))


def as_k(k: int) -> int:
    """Gives the number of results asked for.

    Raises:
        InputError: unless it is an integer in [1, MAX_K].
    """
    if type(k) is not int and not isinstance(k, np.integer) or not 1 <= k <= MAX_K:
        raise InputError(f"k must be an integer in [1, {MAX_K}], got {k!r}")
    return int(k)


def as_excluded(exclude: Sequence[ArrayLike], queries: int) -> list[Ids]:
    """Gives the ids to keep out of each query's results.

    Raises:
        InputError: unless there is one array of int64 a query.
    """
    if len(exclude) != queries:
        raise InputError(
            f"exclude must hold one array of ids a query, {queries}, got {len(exclude)}"
        )
    return [as_ids(ids) for ids in exclude]


def distinct(ids: Ids) -> NDArray[np.int64] | None:
    """Gives the places of the last of equal ids, in order; None if all differ."""
    unique, last = np.unique(ids[::-1], return_index=True)
    return None if len(unique) == len(ids) else np.sort(len(ids) - 1 - last)
