"""All that a snapshot holds for retrieval, in one place, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import SGD, CollisionlessTable, TableConfig
from recsys_embed.errors import InputError
from recsys_embed.index.attributes import Schema, arrays_of
from recsys_embed.retrieval.description import (
    EXTRA,
    IndexDescription,
    Retrieval,
    Tower,
    array_name,
    spelled,
    tower_array,
)
from recsys_embed.snapshot import write_snapshot
from training.retrieval.export.versions import version_of

Arrays = dict[str, NDArray[Any]]


class Vectors(NamedTuple):
    """Vectors of ids: int64 (n,), float32 (n, D)."""

    ids: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """An index of items: what is said of it, and what it holds.

    Args:
        described: names tables, towers, kinds of attributes.
        items: the items' vectors; they become the table `described.vectors`.
        attributes: by name a value an item, None where it has none.
        users: vectors of users, the table `described.users`.
        queries: float32 (q, D), real ones, by which the index is tuned.
        relevance: the arrays of an adapter.
        bridges: by older tower version, the arrays of the bridge there.
    """

    described: IndexDescription
    items: Vectors
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    users: Vectors | None = None
    queries: NDArray[np.float32] | None = None
    relevance: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    bridges: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)

    def vectors(self) -> dict[str, Vectors]:
        """Gives the vectors by the names of their tables.

        Raises:
            InputError: for vectors of users without a table's name, or the other way round.
        """
        if (self.described.users is None) != (self.users is None):
            raise InputError(
                f"the description names users' vectors {self.described.users!r}, and"
                f" {'none' if self.users is None else len(self.users.ids)} are given; give both"
            )
        named = {self.described.vectors: self.items}
        return named if self.users is None else {**named, str(self.described.users): self.users}

    def dense(self, name: str) -> Arrays:
        """Gives all else as arrays of a snapshot, by the index's name."""
        schema = Schema(self.described.attributes)  # type: ignore[arg-type]  # it checks the kinds
        arrays = {array_name(name, "ids"): np.asarray(self.items.ids, np.int64)}
        arrays |= _under(name, "attributes", arrays_of(self.attributes, schema))
        arrays |= _under(name, "relevance", self.relevance)
        for version, bridge in self.bridges.items():
            arrays |= _under(name, f"bridges/{version}", bridge)
        if self.queries is not None:
            arrays[array_name(name, "queries")] = np.asarray(self.queries, np.float32)
        return arrays


@dataclass(frozen=True, eq=False)
class Bundle:
    """Towers and the tables that feed them, and the indexes of what they made.

    Args:
        tables: that the towers' inputs read.
        towers: by name, what each takes and its ONNX file.
        indexes: by name.
        tower_version: names towers and vectors together; of their digest if empty.
    """

    tables: Mapping[str, CollisionlessTable]
    towers: Mapping[str, tuple[Tower, bytes]]
    indexes: Mapping[str, ItemIndex]
    tower_version: str = ""

    @property
    def description(self) -> Retrieval:
        """What the snapshot says about it.

        Raises:
            ConfigError: for names that lead nowhere.
        """
        towers = {name: tower for name, (tower, _) in self.towers.items()}
        indexes = {name: index.described for name, index in self.indexes.items()}
        return Retrieval(self.tower_version or version_of(self.towers), towers, indexes)

    def dense(self) -> Arrays:
        """Gives all that is no row of a table."""
        files = {n: np.frombuffer(file, np.uint8) for n, (_, file) in self.towers.items()}
        arrays = {tower_array(name): file for name, file in files.items()}
        for name, index in self.indexes.items():
            arrays |= index.dense(name)
        return arrays

    @cached_property
    def all_tables(self) -> dict[str, CollisionlessTable]:
        """The towers' tables and those of vectors, which are made once.

        Raises:
            InputError: for two tables of one name.
        """
        tables = dict(self.tables)
        for index in self.indexes.values():
            for name, vectors in index.vectors().items():
                if name in tables:
                    raise InputError(f"two tables are named {name!r}; name one otherwise")
                tables[name] = vector_table(name, vectors)
        return tables


def write_retrieval(
    root: Path | str, bundle: Bundle, *, extra: Mapping[str, Any] | None = None, keep: int = 3
) -> Path:
    """Writes a snapshot that a server can retrieve from.

    Args:
        root: the folder of snapshots, as `write_snapshot` takes it.
        bundle: what goes into it.
        extra: further values of plain JSON types.
        keep: snapshots to keep.

    Raises:
        ConfigError, InputError: for what does not fit together.
        SnapshotError: if it cannot be written.
    """
    told = {**(extra or {}), EXTRA: spelled(bundle.description)}
    tables = bundle.all_tables
    return write_snapshot(root, tables, dense=bundle.dense(), extra=told, keep=keep)


def vector_table(name: str, vectors: Vectors) -> CollisionlessTable:
    """Makes a table that holds vectors by id; its rows have no room for an optimizer's state."""
    width = vectors.values.shape[1]
    table = CollisionlessTable(TableConfig.of(name, width, optimizer=SGD(), sweep_rows=0))
    table.assign(vectors.ids, vectors.values)
    return table


def _under(index: str, part: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    return {array_name(index, part, name): array for name, array in arrays.items()}
