"""One moment of a reference table: simply a copy of everything."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys_embed.table_config import TableConfig
from tests.reference.rows import Row, RowBlock, block_of


class ReferenceCut:
    """Holds copied rows in id order; part p of n is every n-th of them from the p-th."""

    def __init__(
        self,
        config: TableConfig,
        rows: dict[int, Row],
        seq: int,
        clock_s: int,
        counters: dict[str, int],
        admission: dict[str, NDArray[np.generic]],
    ) -> None:
        self.config, self.seq, self.clock_s = config, seq, clock_s
        self.counters, self.admission = counters, admission
        self._rows = sorted(rows.items())
        self.is_closed = False

    @property
    def num_rows(self) -> int:
        return len(self._rows)

    def num_rows_in(self, part: int, parts: int) -> int:
        return len(self._rows[part::parts])

    def blocks(
        self, part: int = 0, parts: int = 1, *, rows_per_block: int = 16384
    ) -> Iterator[RowBlock]:
        mine = self._rows[part::parts]
        for start in range(0, len(mine), rows_per_block):
            yield block_of(
                mine[start : start + rows_per_block], self.config.dim, self.config.state_width
            )

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
