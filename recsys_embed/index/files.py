"""An index on disk: a snapshot without tables, whose `dense` arrays and `extra` hold it all.

docs/formats.md is the specification; this file and that page change together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import from_dict, to_dict
from recsys_embed.errors import ConfigError, InputError, SnapshotCorruptError, SnapshotVersionError
from recsys_embed.index.attributes import Columns, Schema, arrays_of, values_of
from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.exact import ExactEngine
from recsys_embed.index.engines.protocol import Engine, Floats, Reach
from recsys_embed.index.items import Items
from recsys_embed.index.state import State
from recsys_embed.index.tuning import Costs, Tuning
from recsys_embed.snapshot import Snapshot, open_snapshot, write_snapshot

VERSION = 1
ENGINE, ATTRIBUTES = "engine/", "attributes/"
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Record:
    """What `extra["index"]` of a saved index says; see docs/formats.md."""

    version: int
    config: IndexConfig
    schema: dict[str, str]
    kind: str
    parameters: Parameters
    reach: Reach
    recall: float
    tuned_on: str
    rerank: float
    costs: tuple[float, ...]
    trained: int
    steps: int
    items_recall: float
    folded: int
    write: int
    stale: int
    folds: int
    rebuilds: int


def save(state: State, queries: Floats | None, root: Path) -> Path:
    """Writes an index as a new snapshot, durably, and then removes the one before.

    Raises:
        SnapshotError: if the system refuses, or another save into the folder is under way.
    """
    size, arrays = state.size, state.arrays
    columns = state.items.columns
    attributes = arrays_of(columns.values(np.arange(size)), columns.schema)
    dense = {
        "ids": arrays.ids[:size],
        "vectors": arrays.vectors[:size],
        "alive": arrays.died[:size] > state.write,
        "queries": np.zeros((0, arrays.vectors.shape[1]), "<f4") if queries is None else queries,
        **{ATTRIBUTES + name: array for name, array in attributes.items()},
        **{ENGINE + name: array for name, array in state.engine.arrays().items()},
    }
    extra = {"index": to_dict(_record(state))}
    return write_snapshot(root, {}, dense=dense, extra=extra, keep=1, threads=1)


def load(path: Path) -> tuple[State, Floats | None]:
    """Reads what `save` wrote, every byte of it verified, and the queries it was tuned with.

    Raises:
        SnapshotNotFoundError: if there is none.
        SnapshotVersionError: if it was written by a newer library.
        SnapshotCorruptError: naming what is not as it was written.
        InputError: if the snapshot holds no index.
    """
    snapshot = open_snapshot(path)
    record = _read(snapshot)
    try:
        items = _items(snapshot.dense, record)
        engine = _engine(snapshot.dense, record, items)
    except (KeyError, ValueError) as error:
        raise SnapshotCorruptError(f"{snapshot.path}: not a whole index: {error}") from None
    alive = int(np.count_nonzero(snapshot.dense["alive"]))
    queries = np.array(snapshot.dense["queries"])
    tuning = Tuning(
        record.recall,
        record.tuned_on,
        record.rerank,
        Costs(*record.costs),
        record.trained,
        record.steps,
        record.items_recall,
    )
    state = State(
        config=record.config,
        items=items,
        arrays=items.arrays,
        size=items.size,
        folded=record.folded,
        engine=engine,
        tuning=tuning,
        write=record.write,
        alive=alive,
        stale=record.stale,
        folds=record.folds,
        rebuilds=record.rebuilds,
    )
    return state, queries if len(queries) else None


def _record(state: State) -> Record:
    engine, tuning = state.engine, state.tuning
    return Record(
        version=VERSION,
        config=state.config,
        schema={name: str(kind) for name, kind in state.items.schema.kinds.items()},
        kind=engine.kind,
        parameters=engine.parameters,
        reach=engine.reach,
        recall=tuning.recall,
        tuned_on=tuning.on,
        rerank=tuning.rerank,
        costs=tuple(tuning.costs),
        trained=tuning.trained,
        steps=tuning.steps,
        items_recall=tuning.items_recall,
        folded=state.folded,
        write=state.write,
        stale=state.stale,
        folds=state.folds,
        rebuilds=state.rebuilds,
    )


def _read(snapshot: Snapshot) -> Record:
    values = snapshot.extra.get("index")
    if not isinstance(values, dict):
        raise InputError(f"{snapshot.path} is a snapshot, but it holds no index")
    if values.get("version") != VERSION:
        raise SnapshotVersionError(
            f"{snapshot.path}: this library reads version {VERSION} of a saved index, found version"
            f" {values.get('version')!r}; read it with a newer recsys-embed"
        )
    try:
        return from_dict(Record, values, "index")
    except ConfigError as error:
        raise SnapshotCorruptError(f"{snapshot.path}: {error}") from None


def _items(dense: Arrays, record: Record) -> Items:
    schema = Schema(record.schema)  # type: ignore[arg-type]  # checked by Schema
    columns = Columns(schema)
    attributes = _under(ATTRIBUTES, dense)
    columns.append(values_of(attributes, schema), len(dense["ids"]))
    return Items.restored(dense["ids"], dense["vectors"], dense["alive"], record.write, columns)


def _engine(dense: Arrays, record: Record, items: Items) -> Engine:
    if record.kind == "exact":
        return ExactEngine(items, items.size, record.config.threads)
    from recsys_embed.index.engines.reading import engine_of  # loads faiss, not needed before

    arrays = _under(ENGINE, dense)
    return engine_of(record.kind, arrays, record.parameters, record.reach, record.config)


def _under(prefix: str, dense: Arrays) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): a for n, a in dense.items() if n.startswith(prefix)}
