"""Bytes to deltas, strictly: every bit is checked before anything is believed."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import from_dict
from recsys_embed.deltas.codecs import Coded
from recsys_embed.deltas.delta import TRAINING_COLUMNS, Delta, TableDelta, Training
from recsys_embed.deltas.header import (
    ADMISSION_DTYPES,
    DENSE,
    FORMAT,
    HEADER,
    VERSION,
    Header,
    TableHeader,
    column,
    table_tensors,
)
from recsys_embed.errors import ConfigError, DeltaError
from recsys_embed.snapshot.checksums import array_checksum, checksum
from recsys_embed.snapshot.format import CHECKSUM
from recsys_embed.snapshot.headers import parse_layout
from recsys_embed.snapshot.layout import PADDING, Layout, Tensor
from recsys_embed.snapshot.manifest import UNSIGNED

Buffer = bytes | bytearray | memoryview


def decode(data: Buffer) -> Delta:
    """Reads a delta back; its arrays are views of `data`, so that nothing is copied.

    Raises:
        DeltaError: if the bytes are not those that were written, or of a newer version: says which
            tensor, what was expected and what was found.

    Example:
        >>> from recsys_embed.deltas.encoding import encode
        >>> delta = Delta("3d5e7b5c-6f0e-4a3b-9a52-0d2b7c9b1f10", 1, 0, 1, 0.0, {}, extra={"at": 7})
        >>> decode(encode(delta)).extra
        {'at': 7}
    """
    plan, header = _read(data)
    tensors = {n: t for n, t in plan.tensors.items() if not n.startswith(PADDING) and n != HEADER}
    _check_names(header, tensors)
    for name, tensor in plan.tensors.items():
        _check(name, _view(data, tensor), header)
    arrays = {name: _view(data, tensor) for name, tensor in tensors.items()}
    return Delta(
        lineage=header.lineage,
        number=header.number,
        prev=header.prev,
        token=header.token,
        created_s=header.created_s,
        tables={name: _table(name, table, arrays) for name, table in header.tables.items()},
        dense={n.removeprefix(DENSE): a for n, a in arrays.items() if n.startswith(DENSE)},
        extra=header.extra,
    )


def read_header(data: Buffer) -> Header:
    """Reads and checks the header alone: whose delta it is and what it holds; tensors are not read.

    Raises:
        DeltaError: as `decode`, for damage before the first tensor of a table.
    """
    return _read(data)[1]


def _read(data: Buffer) -> tuple[Layout, Header]:
    try:
        plan = parse_layout(data, len(data))
    except ValueError as error:
        raise DeltaError(f"expected a delta: {error}") from None
    tensor = plan.tensors.get(HEADER)
    if tensor is None or tensor.dtype != np.uint8 or len(tensor.shape) != 1:
        raise DeltaError(f"expected a tensor {HEADER!r} of bytes, found {sorted(plan.tensors)}")
    header = _header(bytes(_view(data, tensor)))
    if (found := checksum(plan.header)) != header.layout:
        raise DeltaError(f"the layout: expected the checksum {header.layout}, found {found}")
    return plan, header


def _header(text: bytes) -> Header:
    try:
        values = json.loads(text)
        stated = values.pop("checksum")
        if not CHECKSUM.fullmatch(stated):
            raise ValueError(f"{stated!r} is not a checksum of 16 hexadecimal digits")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DeltaError(f"expected a header of JSON with a checksum: {error}") from None
    found = checksum(text.replace(stated.encode(), UNSIGNED.encode(), 1))
    if found != stated:
        raise DeltaError(f"the header: expected the checksum {stated}, found {found}")
    if values.get("format") != FORMAT:
        raise DeltaError(f"expected the format {FORMAT!r}, found {values.get('format')!r}")
    if values.get("version") != VERSION:
        raise DeltaError(
            f"this library reads version {VERSION} of deltas, found version"
            f" {values.get('version')!r}; read it with a newer recsys-embed"
        )
    try:
        return from_dict(Header, values, HEADER)
    except ConfigError as error:
        raise DeltaError(str(error)) from None


def _check_names(header: Header, tensors: Mapping[str, Tensor]) -> None:
    expected = {
        name: tensor
        for table, one in header.tables.items()
        for name, tensor in table_tensors(table, one).items()
    }
    dense = {name: tensor for name, tensor in tensors.items() if name.startswith(DENSE)}
    for found in (tensors.keys(), header.checksums.keys()):
        if found != (expected | dense).keys():
            raise DeltaError(
                f"expected the tensors {sorted(expected | dense)}, found {sorted(found)}"
            )
    for name, tensor in expected.items():
        wanted, came = (f"{t.dtype} {list(t.shape)}" for t in (tensor, tensors[name]))
        if wanted != came:
            raise DeltaError(f"tensor {name!r}: expected {wanted}, found {came}")


def _check(name: str, array: NDArray[Any], header: Header) -> None:
    if name.startswith(PADDING):
        if array.any():
            raise DeltaError(f"tensor {name!r}: expected zeros, found other bytes")
    elif name != HEADER and (found := array_checksum(array)) != header.checksums[name]:
        raise DeltaError(
            f"tensor {name!r}: expected the checksum {header.checksums[name]}, found {found}"
        )


def _view(data: Buffer, tensor: Tensor) -> NDArray[Any]:
    flat = np.frombuffer(data, tensor.dtype, math.prod(tensor.shape), tensor.start)
    return flat.reshape(tensor.shape)


def _table(name: str, header: TableHeader, arrays: Mapping[str, NDArray[Any]]) -> TableDelta:
    scales = arrays[column(name, "scales")] if header.codec == "int8" else None
    return TableDelta(
        config=header.config,
        codec=header.codec,
        dim=header.dim,
        prev_seq=header.prev_seq,
        seq=header.seq,
        clock_s=header.clock_s,
        ids=arrays[column(name, "ids")],
        coded=Coded(arrays[column(name, "weights")], scales),
        tombstones=arrays[column(name, "tombstones")],
        reasons=arrays[column(name, "reasons")],
        training=_training(name, header, arrays),
    )


def _training(
    name: str, header: TableHeader, arrays: Mapping[str, NDArray[Any]]
) -> Training | None:
    if header.training is None:
        return None
    return Training(
        columns={each: arrays[column(name, each)] for each in TRAINING_COLUMNS},
        counters=header.training.counters,
        admission={
            each: arrays[column(name, f"admission_{each}")]
            for each in ADMISSION_DTYPES
            if each in header.training.admission
        },
    )
