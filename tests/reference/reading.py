"""The half of the reference table that changes nothing."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import MissingIdError
from recsys_embed.table_config import TableConfig
from tests.reference.initial import Initial
from tests.reference.pooling import pooled
from tests.reference.rows import Row, RowBlock, TableStats, block_of

COUNTERS = ("admitted", "filtered", "expired", "evicted", "deleted", "dropped_gradients")


class ReadableRows:
    """A dict of rows behind one lock, and the ways to read it."""

    def __init__(self, config: TableConfig, initial: Initial) -> None:
        self.config = config
        self._initial = initial
        self._rows: dict[int, Row] = {}
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._lookups = self._hits = 0
        self._lock = threading.RLock()

    def lookup(self, ids: Any, *, missing: Any = "initial", out: Any = None) -> NDArray[np.float32]:
        with self._lock:
            asked = self._mapped(ids)
            self._refuse_missing(asked, missing)
            self._count_lookups(asked)
            return into(out, self._stack([self._value(i, missing) for i in asked]))

    def lookup_pooled(
        self, ids: Any, offsets: Any, *, mode: str = "sum", weights: Any = None,
        num_features: int = 1, missing: Any = "initial", out: Any = None,
    ) -> NDArray[np.float32]:  # fmt: skip
        values = self.lookup(ids, missing=missing)
        return into(out, pooled(values, offsets, mode, weights, num_features))

    def initial_values(self, ids: Any) -> NDArray[np.float32]:
        return self._initial(np.array(self._mapped(ids), np.int64))

    def contains(self, ids: Any) -> NDArray[np.bool_]:
        with self._lock:
            return np.array([i in self._rows for i in self._mapped(ids)], bool)

    def __contains__(self, i: int) -> bool:
        return bool(self.contains(np.array([i]))[0])

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self) -> Iterator[NDArray[np.int64]]:
        for block in self.rows():
            yield block.ids

    def rows(self, *, rows_per_block: int = 16_384) -> Iterator[RowBlock]:
        with self._lock:
            pairs = list(self._rows.items())
        for start in range(0, len(pairs), rows_per_block):
            some = pairs[start : start + rows_per_block]
            yield block_of(some, self.config.dim, self.config.state_width)

    def stats(self) -> TableStats:
        taken = len(self._rows) * self.config.row_bytes
        return TableStats(
            len(self), taken, 0, 0.0, **self._counters, lookups=self._lookups, hits=self._hits
        )

    def _mapped(self, ids: Any) -> list[int]:
        return self.config.row_map.map(np.asarray(ids, np.int64)).rows[0].tolist()

    def _stack(self, values: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.array(values, np.float32).reshape(len(values), self.config.dim)

    def _refuse_missing(self, ids: list[int], missing: Any) -> None:
        absent = [i for i in ids if i not in self._rows]
        if absent and isinstance(missing, str) and missing == "error":
            raise MissingIdError(f"table {self.config.name!r} has no row for id {absent[0]}")

    def _value(self, i: int, missing: Any) -> NDArray[np.float32]:
        if i in self._rows:
            return self._rows[i].weights
        if not isinstance(missing, str):
            return np.asarray(missing, np.float32)
        if missing == "zeros":
            return np.zeros(self.config.dim, np.float32)
        return self._initial(np.array([i], np.int64))[0]

    def _count_lookups(self, ids: list[int]) -> None:
        """A hit is an occurrence of an id that had a row when the call began."""
        self._lookups += len(ids)
        self._hits += sum(i in self._rows for i in ids)


def into(out: Any, values: NDArray[np.float32]) -> Any:
    """Writes the answer where the caller wants it, if anywhere."""
    if out is None:
        return values
    np.asarray(out)[...] = values
    return out
