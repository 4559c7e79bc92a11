"""What the calls of a table return."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EXPIRED, BUDGET, DELETED = 1, 2, 3


class Evicted(NamedTuple):
    """Ids that lost their rows, shape (E,), and why: EXPIRED, BUDGET or DELETED."""

    ids: NDArray[np.int64]
    reasons: NDArray[np.uint8]


class Tombstones(NamedTuple):
    """Ids that lost their rows, shape (T,), why (as in `Evicted`), and in which writing call."""

    ids: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    seqs: NDArray[np.uint64]


class Rows(NamedTuple):
    """Where a training lookup found its ids; only the table that made it can read it.

    `rows[i]` is the row of occurrence i as of `moves`, or 2^32 - 1 if it came before its id's
    admission; `owner` is the table's native core.
    """

    ids: NDArray[np.int64]
    rows: NDArray[np.uint32]
    moves: int
    owner: object


class Lookup(NamedTuple):
    """The answer of a training lookup: values, handle for the gradient call, rows lost.

    The handle is `Rows`, or a mapped table's `MappedRows`; only the table that gave it reads it.
    """

    values: NDArray[np.float32]
    rows: Any
    evicted: Evicted


class RowBlock(NamedTuple):
    """Whole rows, column by column: n ids, (n, D) weights, (n, S) optimizer state, metadata."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float32]
    state: NDArray[np.float32]
    last_seen: NDArray[np.uint32]
    count: NDArray[np.uint32]  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    feature: NDArray[np.uint16]
    seq: NDArray[np.uint64]

    @staticmethod
    def empty(rows: int, dim: int, state_width: int) -> "RowBlock":
        """Makes room for rows to be filled in."""
        return RowBlock(
            np.empty(rows, np.int64),
            np.empty((rows, dim), np.float32),
            np.empty((rows, state_width), np.float32),
            np.empty(rows, np.uint32),
            np.empty(rows, np.uint32),
            np.empty(rows, np.uint16),
            np.empty(rows, np.uint64),
        )

    def first(self, rows: int) -> "RowBlock":
        """Gives the first rows, without a copy."""
        return RowBlock._make(column[:rows] for column in self)


class TableStats(NamedTuple):
    """What a table holds and has done since it was made or restored.

    `bytes` counts rows, index and admission filter as reserved from the system, `index_bytes` the
    index alone, `load` is the index's share of used slots. `lookups` counts ids asked for, `hits`
    those that had a row.
    """

    rows: int
    bytes: int
    index_bytes: int
    load: float
    admitted: int
    filtered: int
    expired: int
    evicted: int
    deleted: int
    dropped_gradients: int
    lookups: int
    hits: int

    @property
    def hit_rate(self) -> float:
        """Share of the ids asked for that had a row; 0 before the first."""
        return self.hits / self.lookups if self.lookups else 0.0
