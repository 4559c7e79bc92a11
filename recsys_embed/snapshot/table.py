"""A table of a snapshot: looked up where it lies on disk, or restored to train on."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.arrays import as_array
from recsys_embed.config import near
from recsys_embed.errors import InputError, SnapshotCorruptError
from recsys_embed.hashing import ids_of
from recsys_embed.mapped_table import make_table
from recsys_embed.row_maps import Collisionless
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.snapshot.format import TableRecord
from recsys_embed.snapshot.missing import ROWWISE, check_missing, missing_vector
from recsys_embed.snapshot.restoring import refuse_other_table
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_arguments import Missing
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock
from recsys_embed.threads import initial_values


class SnapshotLookup(NamedTuple):
    """Vectors (N, D) float32 in the order of the ids, and which of the ids have a row (N,)."""

    values: NDArray[np.float32]
    found: NDArray[np.bool_]


class SnapshotTable:
    """The rows of one table of a snapshot; any number of threads may use it at once.

    Lookups read the mapped files through an index of a few bytes a row, which the first lookup
    builds (`build_index` does so ahead of it).

    Attributes:
        config: the table's configuration.
        num_rows: rows in all shards.
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
        self.config: TableConfig = record.config
        self._of_rows = replace(record.config, row_map=Collisionless())
        self._is_mapped = not isinstance(record.config.row_map, Collisionless)
        self._features = [rule.name for rule in record.config.features]
        self.num_rows, self.seq, self.clock_s = record.num_rows, record.seq, record.clock_s
        self.counters = record.counters
        self.columns, self.admission = columns, admission
        self._indexes: tuple[native.IdIndex, ...] | None = None
        self._lock = threading.Lock()

    def lookup(
        self, ids: ArrayLike, *, missing: Missing = "initial", feature: str | None = None
    ) -> SnapshotLookup:
        """Reads the vectors of N ids, in their order, duplicates included.

        Args:
            ids: integers or strings, shape (N,).
            missing: what a row that is not there reads: "initial" (what training would start from)
                or "zeros"; or what an id reads that lacks a row: a float32 vector (D,), or "error".
            feature: whose ids they are, for row maps that tell features apart; the first if None.

        Raises:
            InputError: for ids that are neither integers nor strings, another `missing`, or a
                feature that the table does not have.
            MissingIdError: under "error", naming ids without a row.
        """
        name = self._feature(feature)
        wanted = np.ascontiguousarray(ids_of(as_array(ids)))
        if self._is_mapped:
            return self.lookup_mapped(Mapped.of(self.config.row_map, wanted, name), missing)
        check_missing(missing, self.config.dim)
        values, held = self._read(wanted)
        if not held.all():
            values[~held] = self._stand_in(missing, wanted[~held])
        return SnapshotLookup(values, held)

    def lookup_mapped(self, part: Mapped, missing: Missing = "initial") -> SnapshotLookup:
        """Reads the vectors of ids whose rows are known already.

        Raises:
            InputError, MissingIdError: as for `lookup`.
        """
        check_missing(missing, self.config.dim * part.chunks)
        values, held = self._read(part.flat)
        if held.all():
            return SnapshotLookup(part.combine(values), np.ones(len(part.ids), np.bool_))
        is_rowwise = isinstance(missing, str) and missing in ROWWISE
        values[~held] = self._stand_in(missing if is_rowwise else "zeros", part.flat[~held])
        vectors, found = part.combine(values), part.found_ids(held)
        if not (is_rowwise or found.all()):
            vectors[~found] = self._stand_in(missing, part.ids[~found])
        return SnapshotLookup(vectors, found)

    def _read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Gives the weights of rows by their ids, and says which are there; others are not set."""
        values = np.empty((len(rows), self.config.dim), np.float32)
        held = np.zeros(len(rows), np.bool_)
        for index, weights in zip(self.build_index(), self.columns["weights"], strict=True):
            index.read(rows, weights, values, held)
        return values, held

    def _stand_in(self, missing: Missing, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gives what stands in for rows that are not there, or for vectors of ids."""
        if isinstance(missing, str) and missing in ROWWISE:
            if missing == "initial":
                return initial_values(self._of_rows, ids)
            return np.zeros((len(ids), self.config.dim), np.float32)
        return missing_vector(missing, self.config.name, ids)

    def build_index(self) -> tuple[native.IdIndex, ...]:
        """Builds the index if no lookup has yet, and returns it: one part for each shard.

        Raises:
            SnapshotCorruptError: if a shard holds an id twice, which no writer of ours does.
        """
        with self._lock:
            if self._indexes is None:
                try:
                    self._indexes = tuple(native.IdIndex(ids) for ids in self.columns["ids"])
                except ValueError as error:
                    raise SnapshotCorruptError(f"table {self.config.name!r}: {error}") from None
            return self._indexes

    def rows(self, *, rows_per_block: int = 16_384) -> Iterator[RowBlock]:
        """Yields all rows a block at a time, as views of the mapped columns."""
        for shard in zip(*(self.columns[name] for name in RowBlock._fields), strict=True):
            for start in range(0, len(shard[0]), rows_per_block):
                yield RowBlock(*(column[start : start + rows_per_block] for column in shard))

    def _feature(self, feature: str | None) -> str:
        names = self._features
        if feature is not None and feature not in names:
            raise InputError(
                f"table {self.config.name!r} has no feature {feature!r}; {near(feature, names)}"
            )
        return names[0] if feature is None else feature

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
