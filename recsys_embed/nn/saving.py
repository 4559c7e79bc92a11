"""A whole model in one snapshot: tables row by row, the dense part beside them, no pickle."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsys_embed.config import to_dict
from recsys_embed.errors import InputError, SnapshotError
from recsys_embed.nn.module import TableModule
from recsys_embed.snapshot import Snapshot, open_snapshot, write_snapshot
from recsys_embed.table import CollisionlessTable


def tables_of(model: nn.Module) -> dict[str, CollisionlessTable]:
    """Gives every table of a model by its name, in the order of its modules.

    Raises:
        InputError: when two tables share a name.
    """
    tables: dict[str, CollisionlessTable] = {}
    for module in _table_modules(model):
        for name, table in module.tables.items():
            if name in tables:
                raise InputError(
                    f"a snapshot names tables, but two of this model are {name!r}; rename one"
                )
            tables[name] = table
    return tables


def save(
    root: str | Path,
    model: nn.Module,
    *,
    extra: Mapping[str, Any] | None = None,
    shards: int = 1,
    keep: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes the tables and the `state_dict()` of a model as a snapshot under `root`.

    Args:
        root: the folder of snapshots; each gets the next number.
        model: a module that holds table modules, or is one.
        extra: JSON values to keep with it, such as the step.
        shards: files for each table.
        keep: how many complete snapshots stay.
        progress: called with (rows written, rows in all).

    Returns:
        The path of the snapshot.

    Raises:
        InputError: when two tables share a name, or the state dict holds what is no array.
        SnapshotError: when it cannot be written; the previous snapshots stay.
    """
    dense = {name: _array(name, value) for name, value in model.state_dict().items()}
    return write_snapshot(
        Path(root),
        tables_of(model),
        dense=dense,
        extra=extra,
        shards=shards,
        keep=keep,
        progress=progress,
    )


def load(path: str | Path, model: nn.Module, *, verify: bool = True) -> Snapshot:
    """Gives a model the tables and the state dict of a snapshot, or changes nothing.

    The module gets new tables; whoever still holds the old ones holds what they were.

    Args:
        path: a snapshot, or a folder of which the newest complete one is taken.
        model: built as the saved one was.
        verify: whether to check every checksum.

    Returns:
        The snapshot, with its `extra`.

    Raises:
        SnapshotError: when it cannot be read, or is of a model with other tables.
    """
    snapshot = open_snapshot(Path(path), verify=verify)
    old = tables_of(model)
    _refuse_other_tables(snapshot, old)
    _replace_tables(model, {name: snapshot.tables[name].restore() for name in old})
    try:
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in snapshot.dense.items()})
    except Exception:
        _replace_tables(model, old)
        raise
    return snapshot


def _table_modules(model: nn.Module) -> list[TableModule]:
    return [module for module in model.modules() if isinstance(module, TableModule)]


def _replace_tables(model: nn.Module, tables: Mapping[str, CollisionlessTable]) -> None:
    for module in _table_modules(model):
        module.replace_tables(tables)


def _refuse_other_tables(snapshot: Snapshot, tables: Mapping[str, CollisionlessTable]) -> None:
    if set(snapshot.tables) != set(tables):
        raise SnapshotError(
            f"the snapshot holds tables {sorted(snapshot.tables)},"
            f" but the model has {sorted(tables)}"
        )
    for name, table in tables.items():
        saved, own = to_dict(snapshot.tables[name].config), to_dict(table.config)
        differ = [key for key in own if saved.get(key) != own[key]]
        if differ:
            raise SnapshotError(
                f"table {name!r} was saved with {differ[0]} {saved.get(differ[0])},"
                f" but the model has {own[differ[0]]}; build the model with the saved value"
            )


def _array(name: str, value: Any) -> NDArray[Any]:
    if not isinstance(value, torch.Tensor) or value.dtype == torch.bfloat16:
        kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
        raise InputError(f"a snapshot keeps arrays, but {name!r} of the state dict is {kind}")
    return value.detach().cpu().numpy()
