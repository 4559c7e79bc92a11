"""Rows and all else that a cut knows, put back into a table exactly as they were."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.cut import COUNTERS
from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock

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
    whole = RowBlock._make(np.require(c, requirements=["C", "W", "A"]) for c in block)
    try:
        table.restore_rows(native.Columns(*whole))
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
    wanted = ADMISSION_STATE[kind]
    if {name: a.dtype for name, a in admission.items()} != wanted:
        came = {name: str(a.dtype) for name, a in admission.items()}
        raise InputError(f"{kind} admission has state {sorted(wanted)}, got {came}")
    columns = {name: np.require(a, requirements=["C", "A"]) for name, a in admission.items()}
    if len({len(column) for column in columns.values()}) > 1:
        raise InputError("the columns of an exact admission state must be of one length")
    if kind == "exact":
        table.restore_counts(columns["ids"], columns["counts"], columns["last_seen"])
    if kind == "sketch":
        try:
            table.restore_sketch(columns["cells"].reshape(-1))
        except ValueError as error:
            raise InputError(f"cannot restore the admission sketch: {error}") from None
    table.restore_meta(seq, clock_s, [counters[name] for name in COUNTERS])
