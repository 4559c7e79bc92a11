"""A table of a snapshot: looked up where it lies on disk, or restored to train on."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import SnapshotCorruptError
from recsys_embed.mapped_table import make_table
from recsys_embed.snapshot.format import TableRecord
from recsys_embed.snapshot.readable import ReadableTable
from recsys_embed.snapshot.restoring import refuse_other_table
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_types import RowBlock

Indexed = tuple[native.IdIndex, NDArray[np.float32]]


class SnapshotTable(ReadableTable):
    """The rows of one table of a snapshot; any number of threads may use it at once.

    Lookups read the mapped files through an index of a few bytes a row, which the first lookup
    builds (`build_index` does so ahead of it).

    Attributes:
        config: the table's configuration.
        seq, clock_s, counters: where the table stood at the moment of the snapshot.
        columns: ids, weights, state, last_seen, count, feature, seq; one array for each shard.
        admission: state of the admission rule.
    """

    def __init__(
        self,
        record: TableRecord,
        columns: Mapping[str, tuple[NDArray[Any], ...]],
        admission: Mapping[str, NDArray[Any]],
    ) -> None:
        super().__init__(record.config)
        self._num_rows, self.seq, self.clock_s = record.num_rows, record.seq, record.clock_s
        self.counters = record.counters
        self.columns, self.admission = columns, admission
        self._shards: tuple[Indexed, ...] | None = None
        self._layers: native.Layers | None = None
        self._lock = threading.Lock()

    @property
    def num_rows(self) -> int:
        """Rows in all shards."""
        return self._num_rows

    def native_layers(self) -> native.Layers:
        """Gives the shards side by side, through the index over them.

        Raises:
            SnapshotCorruptError: as `build_index`.
        """
        if self._layers is None:
            self._layers = native.Layers(list(self.build_index()), self.config.dim)
        return self._layers

    def build_index(self) -> tuple[Indexed, ...]:
        """Builds the index if no lookup has yet, and returns it with the weights, shard by shard.

        Raises:
            SnapshotCorruptError: if a shard holds an id twice, which no writer of ours does.
        """
        with self._lock:
            if self._shards is None:
                shards = zip(self.columns["ids"], self.columns["weights"], strict=True)
                try:
                    self._shards = tuple((native.IdIndex(ids), rows) for ids, rows in shards)
                except ValueError as error:
                    raise SnapshotCorruptError(f"table {self.config.name!r}: {error}") from None
            return self._shards

    def rows(self, *, rows_per_block: int = 16_384) -> Iterator[RowBlock]:
        """Yields all rows a block at a time, as views of the mapped columns."""
        for shard in zip(*(self.columns[name] for name in RowBlock._fields), strict=True):
            for start in range(0, len(shard[0]), rows_per_block):
                yield RowBlock(*(column[start : start + rows_per_block] for column in shard))

    def restore(
        self,
        keep: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
        *,
        into: CollisionlessTable | None = None,
    ) -> CollisionlessTable:
        """Builds the table that was snapshotted, bit for bit, ready to train on.

        Args:
            keep: given row ids (n,), says which rows to take (n,); all if None. So the rows of any
                number of shards are spread over any number of processes.
            into: the empty table to fill; its thresholds, times to live, budget and sweep may
                differ from the snapshot's, and it may have more features behind those. If None, a
                new one like the one that was snapshotted.

        Raises:
            ConfigError: if the rows do not suit `into`, naming the fields; nothing is loaded then.
            InputError: if `into` is not empty.
        """
        table = make_table(self.config) if into is None else into
        refuse_other_table(table, self.config)
        for block in self.rows():
            if keep is not None:
                mask = keep(block.ids)
                block = RowBlock._make(column[mask] for column in block)
            table.restore_rows(block)
        table.restore_meta(
            seq=self.seq,
            clock_s=self.clock_s,
            counters=self.counters,
            admission=self.admission,
        )
        return table
