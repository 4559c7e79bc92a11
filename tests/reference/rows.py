"""What the reference table hands out, and the one row it is made of."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EXPIRED, BUDGET, DELETED = 1, 2, 3


@dataclass
class Row:
    """One row: weights (D,) and state (S,) float32, and what is known about its occurrences."""

    weights: NDArray[np.float32]
    state: NDArray[np.float32]
    last_seen: int
    count: int
    feature: int
    seq: int


class RowBlock(NamedTuple):
    ids: NDArray[np.int64]
    weights: NDArray[np.float32]
    state: NDArray[np.float32]
    last_seen: NDArray[np.uint32]
    count: NDArray[np.uint32]
    feature: NDArray[np.uint16]
    seq: NDArray[np.uint64]


class Evicted(NamedTuple):
    ids: NDArray[np.int64]
    reasons: NDArray[np.uint8]

    @staticmethod
    def of(pairs: Sequence[tuple[int, int]]) -> "Evicted":
        """Builds the two columns from (id, reason) pairs."""
        ids = np.array([i for i, _ in pairs], np.int64)
        return Evicted(ids, np.array([reason for _, reason in pairs], np.uint8))


class Rows(NamedTuple):
    """The occurrences of one training lookup: their ids, and which of them read a row."""

    ids: NDArray[np.int64]
    read_a_row: NDArray[np.bool_]


class Lookup(NamedTuple):
    values: NDArray[np.float32]
    rows: Any
    evicted: Evicted


class TableStats(NamedTuple):
    rows: int
    bytes: int
    index_bytes: int
    load: float
    admitted: int
    filtered: int
    expired: int
    evicted: int
    deleted: int
    lookups: int
    hits: int
    dropped_gradients: int

    @property
    def hit_rate(self) -> float:
        return self.hits / self.lookups if self.lookups else 0.0


def block_of(rows: Iterable[tuple[int, Row]], dim: int, state_width: int) -> RowBlock:
    """Stacks (id, row) pairs into the columns of a block; no pair gives columns of length 0."""
    pairs = list(rows)
    n = len(pairs)
    return RowBlock(
        np.array([i for i, _ in pairs], np.int64),
        np.array([row.weights for _, row in pairs], np.float32).reshape(n, dim),
        np.array([row.state for _, row in pairs], np.float32).reshape(n, state_width),
        np.array([row.last_seen for _, row in pairs], np.uint32),
        np.array([row.count for _, row in pairs], np.uint32),
        np.array([row.feature for _, row in pairs], np.uint16),
        np.array([row.seq for _, row in pairs], np.uint64),
    )


def rows_of(block: Any) -> Iterator[tuple[int, Row]]:
    """Takes a block of columns apart into (id, row) pairs."""
    for k, i in enumerate(np.asarray(block.ids).tolist()):
        yield (
            i,
            Row(
                np.array(block.weights[k], np.float32),
                np.array(block.state[k], np.float32),
                int(block.last_seen[k]),
                int(block.count[k]),
                int(block.feature[k]),
                int(block.seq[k]),
            ),
        )
