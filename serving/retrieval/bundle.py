"""What a snapshot brings for retrieval, opened: towers, schemas, calibration, bridges."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import from_dict, near
from recsys_embed.errors import ConfigError, InputError, SnapshotCorruptError
from recsys_embed.index.attributes import Schema
from recsys_embed.index.config import IndexConfig
from recsys_embed.retrieval.bridging import Bridging
from recsys_embed.retrieval.description import (
    IndexDescription,
    Retrieval,
    array_name,
    arrays_under,
    read,
    tower_array,
)
from recsys_embed.retrieval.relevance import Adapter
from recsys_embed.row_maps import Collisionless
from recsys_embed.snapshot import ReadableTable, Snapshot
from serving.retrieval.asked import Floats
from serving.retrieval.towers import Network, Tables, tables_of

Dense = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class IndexParts:
    """What belongs to one index.

    Args:
        dim: of its vectors.
        queries: float32 (Q, dim), real ones for tuning; none if there are none.
        bridges: maps of queries to those of older tower versions.
    """

    told: IndexDescription
    dim: int
    schema: Schema
    config: IndexConfig
    queries: Floats | None
    adapter: Adapter | None
    bridges: Mapping[str, Bridging]


@dataclass(frozen=True, eq=False)
class Bundle:
    """All of it; it never changes, and any number of threads may use it."""

    told: Retrieval
    networks: Mapping[str, Network]
    parts: Mapping[str, IndexParts]

    @property
    def tower_version(self) -> str:
        """Names towers and item vectors together."""
        return self.told.tower_version


def open_bundle(snapshot: Snapshot, tables: Tables) -> Bundle | None:
    """Opens what a snapshot brings; None if it says nothing about retrieval.

    Every tower is run once, so that what cannot be served is refused here, and the first client
    does not pay for it.

    Args:
        snapshot: whose `extra` and `dense` are read.
        tables: its tables, or later ones of the same trainer.

    Raises:
        ConfigError, SnapshotCorruptError: naming what contradicts what.
    """
    told = read(snapshot.extra)
    if told is None:
        return None
    try:
        for index in told.indexes.values():
            for table in _tables_named(index):
                _table(table, tables)
        networks = {name: _network(name, told, snapshot.dense, tables) for name in told.towers}
        parts = {name: _parts(name, told, snapshot.dense, tables) for name in told.indexes}
    except InputError as error:
        raise SnapshotCorruptError(f"{snapshot.path}: {error}") from None
    return Bundle(told, networks, parts)


def is_same(told: Retrieval, one: Dense, other: Dense) -> bool:
    """Tells whether two snapshots of one description bring the same towers, bit for bit."""
    names = [tower_array(name) for name in told.towers]
    return all(np.array_equal(one[name], other.get(name, ())) for name in names)


def _tables_named(index: IndexDescription) -> Iterator[str]:
    yield index.vectors
    if index.users is not None:
        yield index.users
    yield from (relation.queries for relation in index.relations.values())


def _table(name: str, tables: Tables) -> ReadableTable:
    if name not in tables:
        raise ConfigError(f"retrieval names the table {name!r}; {near(name, list(tables))}")
    return tables[name]


def _network(name: str, told: Retrieval, dense: Dense, tables: Tables) -> Network:
    tower = told.towers[name]
    for table in tables_of(tower):
        _table(table, tables)
    onnx = dense.get(tower_array(name))
    if onnx is None or onnx.dtype != np.uint8 or onnx.ndim != 1:
        found = "none" if onnx is None else f"{onnx.dtype} of shape {onnx.shape}"
        raise SnapshotCorruptError(
            f"tower {name!r}: expected its ONNX file as uint8 in {tower_array(name)!r}, found"
            f" {found}"
        )
    return Network(name, tower, onnx, tables)


def _parts(name: str, told: Retrieval, dense: Dense, tables: Tables) -> IndexParts:
    index = told.indexes[name]
    vectors = _table(index.vectors, tables)
    if not isinstance(vectors.config.row_map, Collisionless):
        raise ConfigError(
            f"index {name!r}: expected a row an item in table {index.vectors!r}, found the row map"
            f" {vectors.config.row_map.kind!r}"
        )
    dim = vectors.config.dim
    _refuse_other_widths(name, dim, told, tables)
    queries = dense.get(array_name(name, "queries"))
    if queries is not None and (queries.dtype != np.float32 or queries.shape[1:] != (dim,)):
        raise SnapshotCorruptError(
            f"index {name!r}: expected tuning queries as float32 of shape (q, {dim}), found"
            f" {queries.dtype} of shape {queries.shape}"
        )
    return IndexParts(
        told=index,
        dim=dim,
        schema=from_dict(Schema, {"kinds": index.attributes}, f"retrieval.indexes.{name}"),
        config=_config(name, index),
        queries=queries,
        adapter=_adapter(name, dim, dense) if index.relevance else None,
        bridges={
            bridge.to: Bridging.of(bridge.kind, arrays_under(dense, name, f"bridges/{bridge.to}"))
            for bridge in index.bridges
        },
    )


def _adapter(name: str, dim: int, dense: Dense) -> Adapter:
    adapter = Adapter.of(arrays_under(dense, name, "relevance"))
    if len(adapter.hidden) != dim + 1:
        raise SnapshotCorruptError(
            f"index {name!r}: expected a relevance adapter for queries of {dim} dimensions, found"
            f" one for {len(adapter.hidden) - 1}"
        )
    return adapter


def _config(name: str, index: IndexDescription) -> IndexConfig:
    values = {**index.config, "metric": index.metric}
    return from_dict(IndexConfig, values, f"retrieval.indexes.{name}.config")


def _refuse_other_widths(name: str, dim: int, told: Retrieval, tables: Tables) -> None:
    index = told.indexes[name]
    widths: dict[str, float] = {
        f"tower {tower!r}": told.towers[tower].dim
        for tower in (index.user_tower, index.item_tower)
        if tower is not None
    }
    if index.users is not None:
        interests = 1 if index.user_tower is None else told.towers[index.user_tower].interests
        beside = f" for each of {interests} interests" if interests > 1 else ""
        widths[f"table {index.users!r}{beside}"] = tables[index.users].config.dim / interests
    for what, width in widths.items():
        if width != dim:
            raise ConfigError(
                f"index {name!r} has vectors of {dim} dimensions, and {what} gives {width:g}"
            )
    for relation in index.relations.values():
        width = tables[relation.queries].config.dim
        asked = tables[told.indexes[relation.index].vectors].config.dim
        if width != asked:
            raise ConfigError(
                f"index {relation.index!r} has vectors of {asked} dimensions, and the queries of"
                f" table {relation.queries!r} have {width}"
            )
    if index.item_tower is not None and told.towers[index.item_tower].interests != 1:
        raise ConfigError(f"index {name!r}: an item tower must give one vector an item")
