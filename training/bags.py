"""Bags of ids for many events, held so that bags may overlap: a history costs no copies."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.hashing import hash_strings

HASHED_AT_ONCE = 100_000  # a million Python strings take a hundred megabytes


@dataclass(frozen=True)
class Bags:
    """Bag i holds `values[starts[i] : starts[i] + lengths[i]]`, in that order.

    Args:
        values: ids, int64, any length.
        starts: int64 (n,).
        lengths: int64 (n,); 0 is an empty bag, which is also how a missing value is held.
        weights: float32, beside `values`; None if every id counts once.

    Example:
        >>> bags = Bags(np.array([7, 8, 9]), np.array([0, 1, 3]), np.array([2, 2, 0]))
        >>> positions, lengths = bags.positions(np.array([2, 1, 0]))
        >>> bags.values[positions].tolist(), lengths.tolist()
        ([8, 9, 7, 8], [0, 2, 2])
    """

    values: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, events: NDArray[np.int64]) -> "Bags":
        """Returns the bags of these events, in this order; the values are shared, not copied."""
        return Bags(self.values, self.starts[events], self.lengths[events], self.weights)

    def positions(self, events: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns where in `values` the ids lie, bag after bag (N,), and the lengths (B,)."""
        starts, lengths = self.starts[events], self.lengths[events]
        ends = np.cumsum(lengths)
        inside = np.arange(lengths.sum())
        return inside + np.repeat(starts - ends + lengths, lengths), lengths


def bags_of(column: pl.Series, weights: pl.Series | None = None) -> Bags:
    """Turns a column into bags: integers as they are, strings hashed, lists id by id, null empty.

    Args:
        column: integers, strings, booleans, or lists of them; a null inside a list is left out.
        weights: for a list column, lists of numbers of the same lengths.

    Raises:
        InputError: for another type, or weights whose lengths differ.
    """
    listed = column if isinstance(column.dtype, pl.List) else column.reshape((-1, 1)).arr.to_list()
    if weights is not None:
        return _weighted(listed, weights)
    lengths = listed.list.drop_nulls().list.len().fill_null(0).cast(pl.Int64).to_numpy()
    ids = ids_of(listed.explode().drop_nulls())
    return Bags(ids, np.cumsum(lengths) - lengths, lengths)


def _weighted(listed: pl.Series, weights: pl.Series) -> Bags:
    lengths = listed.list.len().fill_null(0).cast(pl.Int64).to_numpy()
    if not isinstance(weights.dtype, pl.List) or np.any(
        lengths != weights.list.len().fill_null(0).to_numpy()
    ):
        raise InputError(
            f"column {weights.name!r} must hold one weight for every id of {listed.name!r}"
        )
    holding = pl.Series(lengths > 0)
    ids, numbers = (
        listed.filter(holding).explode(),
        weights.filter(holding).explode().cast(pl.Float32),
    )
    if ids.null_count() or numbers.null_count():
        raise InputError(
            f"columns {listed.name!r} and {weights.name!r} must not miss values inside their lists"
        )
    return Bags(ids_of(ids), np.cumsum(lengths) - lengths, lengths, numbers.to_numpy())


def ids_of(column: pl.Series) -> NDArray[np.int64]:
    """Turns a column without nulls into ids (N,): each distinct string is hashed once.

    Raises:
        InputError: for a type other than integers, booleans and strings.
    """
    if column.dtype == pl.UInt64:
        return column.to_numpy().view(np.int64)
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return column.cast(pl.Int64).to_numpy()
    if column.dtype != pl.String:
        raise InputError(
            f"column {column.name!r} holds {column.dtype}; ids come from integers, strings or"
            " lists of them. Make buckets of numbers in [events.derive], say"
            " 'CAST(FLOOR(price) AS INT)'"
        )
    distinct = column.unique()
    ids = np.empty(len(distinct), np.int64)
    for first in range(0, len(distinct), HASHED_AT_ONCE):
        part = slice(first, first + HASHED_AT_ONCE)
        ids[part] = hash_strings(distinct[part].to_list())
    return column.replace_strict(distinct, pl.Series(ids), return_dtype=pl.Int64).to_numpy()
