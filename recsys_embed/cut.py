"""One moment of a table, read while training goes on."""

import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock

COUNTERS = ("admitted", "filtered", "expired", "evicted", "deleted", "dropped_gradients")


class Cut:
    """Shows every row as it was when the cut was taken, weights and optimizer state in agreement.

    Taking it is cheap; writers from then on save what they change until it is closed. Different
    parts may be read by different threads, each overlapping with lookups and with a writer.
    Close it, or use it as a context manager.
    """

    _num_rows: int | None

    def __init__(self, table: native.Table, config: TableConfig) -> None:
        self._hold(table, config, table.begin_cut())
        self._num_rows = self.num_rows_in()

    def _hold(self, table: native.Table, config: TableConfig, begun: tuple[Any, ...]) -> None:
        cut, seq, clock_s, counters, *admission = begun
        self.config = config
        self._cut: native.Cut | None = cut
        # A cut lost by an error would make writers save rows for ever.
        self._end = weakref.finalize(self, table.end_cut, cut)
        self._table = table
        self._lock = threading.Lock()
        self._parts: int | None = None
        self._taken: set[int] = set()
        self.seq: int = seq
        self.clock_s: int = clock_s
        self.counters: dict[str, int] = dict(zip(COUNTERS, counters, strict=True))
        self.admission = _admission_state(config.admission.kind, *admission)
        self._num_rows = None

    def __enter__(self) -> "Cut":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the cut; the rows it saved are given back."""
        self._cut = None
        self._end()

    @property
    def num_rows(self) -> int:
        """Rows of the cut."""
        if self._num_rows is None:
            self._num_rows = self.num_rows_in()
        return self._num_rows

    def num_rows_in(self, part: int = 0, parts: int = 1) -> int:
        """Counts the rows of one part of `parts`."""
        first, last = self._range(part, parts)
        return int(self._open().count(first, last))

    def blocks(
        self, part: int = 0, parts: int = 1, *, rows_per_block: int = 16_384
    ) -> Iterator[RowBlock]:
        """Yields the rows of one part of `parts`, a block at a time, in no promised order.

        The arrays of a block are reused for the next one: copy what you keep. A part can be read
        once: from then on its rows are no longer saved from change, which halves what a cut costs.

        Raises:
            InputError: for a part read before, or another number of parts than at first.
        """
        row, last = self._range(part, parts)
        self._take_part(part, parts)
        return self._blocks(row, last, rows_per_block)

    def _take_part(self, part: int, parts: int) -> native.Cut:
        cut = self._open()
        with self._lock:
            if self._parts not in (None, parts) or part in self._taken:
                raise InputError(
                    f"part {part} of {parts} of this cut of table {self.config.name!r} was read"
                    f" before, in {self._parts} parts; take another cut"
                )
            self._parts = parts
            self._taken.add(part)
        return cut

    def _blocks(self, row: int, last: int, rows_per_block: int) -> Iterator[RowBlock]:
        room = RowBlock.empty(rows_per_block, self.config.dim, self.config.state_width)
        columns = native.Columns(*room)
        while row < last:
            row, count = self._table.read_cut(self._open(), row, last, columns)
            if count:
                yield room.first(count)

    def _range(self, part: int, parts: int) -> tuple[int, int]:
        if not 0 <= part < parts:
            raise InputError(f"part must be in [0, {parts}), got {part}")
        cut = self._open()
        end = cut.end() if part + 1 == parts else cut.start_of(part + 1, parts)
        return cut.start_of(part, parts), end

    def _open(self) -> native.Cut:
        if self._cut is None:
            raise InputError(f"the cut of table {self.config.name!r} is closed; take another")
        return self._cut


def _admission_state(
    kind: str,
    ids: NDArray[np.int64],
    counts: NDArray[np.uint32],
    last_seen: NDArray[np.uint32],
    cells: NDArray[np.uint32],
) -> dict[str, NDArray[Any]]:
    if kind == "exact":
        return {"ids": ids, "counts": counts, "last_seen": last_seen}
    return {"cells": cells} if kind == "sketch" else {}
