"""Lookups in rows that do not change, wherever they lie: ids in, vectors out."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.arrays import as_array
from recsys_embed.config import near
from recsys_embed.errors import InputError
from recsys_embed.hashing import ids_of
from recsys_embed.row_maps import Collisionless
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.snapshot.missing import ROWWISE, check_missing, missing_vector
from recsys_embed.table_arguments import Missing
from recsys_embed.table_config import TableConfig
from recsys_embed.threads import initial_values


class SnapshotLookup(NamedTuple):
    """Vectors (N, D) float32 in the order of the ids, and which of the ids have a row (N,)."""

    values: NDArray[np.float32]
    found: NDArray[np.bool_]


class ReadableTable(ABC):
    """A table that is only read; any number of threads may do so at once.

    Attributes:
        config: the table's configuration.
        seq: its writing calls up to this moment.
    """

    seq: int

    def __init__(self, config: TableConfig) -> None:
        self.config = config
        self._of_rows = replace(config, row_map=Collisionless())
        self._is_mapped = not isinstance(config.row_map, Collisionless)
        self._features = [rule.name for rule in config.features]

    @property
    @abstractmethod
    def num_rows(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def native_layers(self) -> native.Layers:
        """Gives the rows by their ids."""

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
        held = np.empty(len(rows), np.bool_)
        self.native_layers().read(rows, values, held)
        return values, held

    def _stand_in(self, missing: Missing, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gives what stands in for rows that are not there, or for vectors of ids."""
        if isinstance(missing, str) and missing in ROWWISE:
            if missing == "initial":
                return initial_values(self._of_rows, ids)
            return np.zeros((len(ids), self.config.dim), np.float32)
        return missing_vector(missing, self.config.name, ids)

    def _feature(self, feature: str | None) -> str:
        names = self._features
        if feature is not None and feature not in names:
            raise InputError(
                f"table {self.config.name!r} has no feature {feature!r}; {near(feature, names)}"
            )
        return names[0] if feature is None else feature
