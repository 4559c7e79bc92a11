"""A feature made of the past: the last values someone had before an event."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from training.bags import Bags, ids_of
from training.features import column_of


@dataclass(frozen=True)
class History:
    """For each event, the values of column `of` in the last `last` earlier events of the same `by`.

    Events of the same moment do not see each other, so a basket does not tell its own content.

    Args:
        of: the column whose values are remembered.
        by: whose past it is; an event without one (null) has an empty history.
        last: how many, at least 1; the oldest come first.
        only: a column of numbers; where it is not above zero, an event is not remembered.
    """

    of: str
    by: str
    last: int = 20
    only: str | None = None

    def __post_init__(self) -> None:
        if self.last < 1:
            raise ConfigError(f"history.last must be at least 1, got {self.last}")

    def bags(self, frame: pl.DataFrame, times: NDArray[np.int64]) -> Bags:
        """Returns one bag an event; `frame` and `times` (n,) are in time order.

        Raises:
            InputError: if column `of` misses a value, or `only` has no numbers.
        """
        if frame[self.of].null_count():
            raise InputError(
                f"column {self.of!r} misses values; leave those events out by events.where"
            )
        owners = codes(frame[self.by])
        order = np.lexsort((times, owners))  # stable: events of one moment keep their order
        kept = self._kept(frame)[order]
        before = np.concatenate([[0], np.cumsum(kept)])  # events kept before each position
        begins = before[_run_starts(owners[order])]
        ends = np.maximum(begins, before[_run_starts(owners[order], times[order])])
        starts, lengths = np.empty((2, len(order)), np.int64)
        starts[order] = np.maximum(begins, ends - self.last)
        lengths[order] = ends - np.maximum(begins, ends - self.last)
        lengths[owners < 0] = 0
        return Bags(ids_of(frame[self.of])[order][kept], starts, lengths)

    def _kept(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        if self.only is None:
            return np.ones(len(frame), bool)
        column = column_of(frame, self.only, "history.only")
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise InputError(
                f"history.only = {self.only!r} must name numbers, or true and false; it holds"
                f" {column.dtype}"
            )
        return (column.cast(pl.Float64).fill_null(0.0) > 0).to_numpy()


def codes(column: pl.Series) -> NDArray[np.int64]:
    """Numbers the distinct values of a column, 0, 1, …, in sorted order; null gets -1."""
    return column.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1


def _run_starts(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives, for each position, where its run of equal keys starts."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    changes = np.zeros(len(keys[0]), bool)
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.maximum.accumulate(np.where(changes, np.arange(len(changes)), 0))
