"""What the header of a delta says, and the tensors that follow from it.

docs/formats.md is the specification; this file and that page change together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_embed.deltas.codecs import CODECS
from recsys_embed.deltas.delta import Delta, TableDelta
from recsys_embed.errors import ConfigError
from recsys_embed.snapshot.layout import Tensor

FORMAT = "recsys-embed-delta"
VERSION = 1
HEADER = "header"
DENSE = "dense/"
ADMISSION_DTYPES = {"ids": "<i8", "counts": "<u4", "last_seen": "<u4", "cells": "<u4"}


@dataclass(frozen=True)
class TrainingHeader:
    """Floats of optimizer state a row, counters, and how long each column of admission state is."""

    state_width: int
    counters: dict[str, int]
    admission: dict[str, int]

    def __post_init__(self) -> None:
        unknown = sorted(self.admission.keys() - ADMISSION_DTYPES.keys())
        if unknown:
            raise ConfigError(f"admission has no columns {unknown}")
        _refuse_negative("training", state_width=self.state_width, **self.admission)


@dataclass(frozen=True)
class TableHeader:
    """How many rows and tombstones of which table, from which moment to which."""

    config: str
    dim: int
    codec: str
    rows: int
    tombstones: int
    prev_seq: int
    seq: int
    clock_s: int
    training: TrainingHeader | None

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ConfigError(f"expected a codec of {', '.join(CODECS)}, got {self.codec!r}")
        _refuse_negative("a table", dim=self.dim, rows=self.rows, tombstones=self.tombstones)
        if not 0 <= self.prev_seq <= self.seq < 2**48:
            raise ConfigError(f"expected 0 <= prev_seq <= seq, got {self.prev_seq} and {self.seq}")


@dataclass(frozen=True)
class Header:
    """Everything the header says, apart from its own checksum.

    `layout` is the XXH64 of what stands before the first tensor, `checksums` those of the tensors.
    """

    format: str
    version: int
    lineage: str
    number: int
    prev: int
    token: int
    created_s: float
    tables: dict[str, TableHeader]
    extra: dict[str, Any]
    layout: str
    checksums: dict[str, str]

    def __post_init__(self) -> None:
        if not 0 <= self.prev < self.number:
            raise ConfigError(f"expected 0 <= prev < number, got {self.prev} and {self.number}")


def header_of(delta: Delta, layout: str, checksums: dict[str, str]) -> Header:
    """Describes a delta."""
    return Header(
        format=FORMAT,
        version=VERSION,
        lineage=delta.lineage,
        number=delta.number,
        prev=delta.prev,
        token=delta.token,
        created_s=delta.created_s,
        tables={name: _of_table(table) for name, table in delta.tables.items()},
        extra=dict(delta.extra),
        layout=layout,
        checksums=checksums,
    )


def column(table: str, name: str) -> str:
    """Names the tensor of a table's column: a table's name may hold slashes, a column's not."""
    return f"tables/{table}/{name}"


def table_tensors(table: str, header: TableHeader) -> dict[str, Tensor]:
    """Gives dtype and shape of the tensors of one table, in their order."""
    n, lost, training = header.rows, header.tombstones, header.training
    shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
        "ids": ("<i8", (n,)),
        "weights": (CODECS[header.codec], (n, header.dim)),
    }
    if header.codec == "int8":
        shapes["scales"] = ("<f4", (n,))
    shapes |= {"tombstones": ("<i8", (lost,)), "reasons": ("<u1", (lost,))}
    if training is not None:
        shapes |= {"state": ("<f4", (n, training.state_width))}
        shapes |= {"last_seen": ("<u4", (n,)), "count": ("<u4", (n,))}
        shapes |= {"feature": ("<u2", (n,)), "seq": ("<u8", (n,))}
        for name, length in training.admission.items():
            shapes[f"admission_{name}"] = (ADMISSION_DTYPES[name], (length,))
    return {
        column(table, name): Tensor(np.dtype(dtype), shape)
        for name, (dtype, shape) in shapes.items()
    }


def _of_table(table: TableDelta) -> TableHeader:
    training = table.training
    return TableHeader(
        config=table.config,
        dim=table.dim,
        codec=table.codec,
        rows=len(table.ids),
        tombstones=len(table.tombstones),
        prev_seq=table.prev_seq,
        seq=table.seq,
        clock_s=table.clock_s,
        training=None
        if training is None
        else TrainingHeader(
            state_width=training.columns["state"].shape[1],
            counters=training.counters,
            admission={name: array.size for name, array in training.admission.items()},
        ),
    )


def _refuse_negative(what: str, **values: int) -> None:
    for name, value in values.items():
        if value < 0:
            raise ConfigError(f"{name} of {what} must not be negative, got {value}")
