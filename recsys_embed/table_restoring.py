"""Rows and all else that a cut knows, put back into a table exactly as they were."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.cut import COUNTERS
from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import Evicted, RowBlock

ADMISSION_STATE: Mapping[str, Mapping[str, type]] = {
    "exact": {"ids": np.int64, "counts": np.uint32, "last_seen": np.uint32},
    "sketch": {"cells": np.uint32},
    "probabilistic": {},
}


def restore_rows(table: native.Table, config: TableConfig, block: RowBlock) -> None:
    """Puts rows back, or changes nothing.

    Raises:
        InputError: if the columns do not fit the table, or an id has a row already.
    """
    columns = _checked(config, block, ["C", "W", "A"])
    try:
        table.restore_rows(native.Columns(*columns))
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot restore rows into table {config.name!r}: {error}") from None


def restore_meta(
    table: native.Table,
    kind: str,
    *,
    seq: int,
    clock_s: int,
    counters: Mapping[str, int],
    admission: Mapping[str, NDArray[Any]],
) -> None:
    """Puts back sequence, clock, counters and the state of a kind of admission.

    Raises:
        InputError: if the admission state is not of that kind.
    """
    columns = _admission_columns(kind, admission)
    if kind == "exact":
        table.restore_counts(columns["ids"], columns["counts"], columns["last_seen"])
    if kind == "sketch":
        try:
            table.restore_sketch(columns["cells"].reshape(-1))
        except ValueError as error:
            raise InputError(f"cannot restore the admission sketch: {error}") from None
    try:
        table.restore_meta(seq, clock_s, [counters[name] for name in COUNTERS])
    except ValueError as error:
        raise InputError(f"cannot restore the table: {error}") from None


def apply_changes(
    table: native.Table,
    config: TableConfig,
    rows: RowBlock,
    lost: Evicted,
    *,
    seq: int,
    clock_s: int,
    counters: Mapping[str, int],
    admission: Mapping[str, NDArray[Any]],
) -> None:
    """Replaces or adds rows, removes lost ones, and puts back all else; or changes nothing.

    Raises:
        InputError: if they do not fit the table, or it has come further than `seq`.
    """
    held = _admission_columns(config.admission.kind, admission)
    waiting = (held["ids"], held["counts"], held["last_seen"]) if "ids" in held else None
    cells = held["cells"].reshape(-1) if "cells" in held else None
    ids = np.require(lost.ids, requirements=["C", "A"])
    reasons = np.require(lost.reasons, requirements=["C", "A"])
    if ids.shape != reasons.shape:
        raise InputError(f"{len(ids)} lost ids must have as many reasons, got {len(reasons)}")
    counted = [counters[name] for name in COUNTERS]
    columns = _checked(config, rows, ["C", "A"])
    try:
        table.apply_changes(columns, ids, reasons, seq, clock_s, counted, waiting, cells)
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot change table {config.name!r}: {error}") from None


def _checked(config: TableConfig, block: RowBlock, requirements: list[Any]) -> RowBlock:
    n = len(block.ids)
    room = RowBlock.empty(n, config.dim, config.state_width)
    pairs: Iterator[tuple[str, NDArray[Any], NDArray[Any]]] = zip(
        RowBlock._fields, block, room, strict=True
    )
    for name, column, wanted in pairs:
        if column.dtype != wanted.dtype or column.shape != wanted.shape:
            raise InputError(
                f"{name} of a block of {n} rows must be {wanted.dtype} of shape {wanted.shape},"
                f" got {column.dtype} of shape {column.shape}"
            )
    return RowBlock._make(np.require(column, requirements=requirements) for column in block)


def _admission_columns(
    kind: str, admission: Mapping[str, NDArray[Any]]
) -> Mapping[str, NDArray[Any]]:
    wanted = ADMISSION_STATE[kind]
    if {name: a.dtype for name, a in admission.items()} != wanted:
        came = {name: str(a.dtype) for name, a in admission.items()}
        raise InputError(f"{kind} admission has state {sorted(wanted)}, got {came}")
    columns = {name: np.require(a, requirements=["C", "A"]) for name, a in admission.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise InputError("the columns of an exact admission state must be of one length")
    return columns
