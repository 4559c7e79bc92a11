"""Deltas to bytes."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.config import to_dict
from recsys_embed.deltas.delta import Delta, TableDelta
from recsys_embed.deltas.header import DENSE, HEADER, column, header_of, table_tensors
from recsys_embed.errors import InputError
from recsys_embed.snapshot.checksums import array_checksum, checksum
from recsys_embed.snapshot.layout import PADDING, Tensor, layout
from recsys_embed.snapshot.manifest import UNSIGNED


def encode(delta: Delta) -> bytes:
    """Spells a delta as one safetensors file; equal deltas give equal bytes.

    Raises:
        InputError: for `extra` that is not of plain JSON types, an array of a dtype that the
            format lacks, or columns of a table that do not fit each other.

    Example:
        >>> delta = Delta("3d5e7b5c-6f0e-4a3b-9a52-0d2b7c9b1f10", 1, 0, 1, 0.0, {})
        >>> data = encode(delta)
        >>> int.from_bytes(data[:8], "little") + 8
        128
    """
    arrays = _arrays(delta)
    checksums = {name: array_checksum(array) for name, array in arrays.items()}
    length = len(_header_text(delta, UNSIGNED, checksums))
    tensors = {HEADER: Tensor(np.dtype("u1"), (length,))}
    plan = layout(tensors | {name: Tensor(a.dtype, a.shape) for name, a in arrays.items()})
    text = _header_text(delta, checksum(plan.header), checksums)
    text = text.replace(UNSIGNED.encode(), checksum(text).encode(), 1)
    parts: list[Any] = [plan.header]
    for name, tensor in plan.tensors.items():
        if name.startswith(PADDING):
            parts.append(bytes(tensor.nbytes))
        elif tensor.nbytes:
            parts.append(text if name == HEADER else arrays[name].data.cast("B"))
    # bytes.join would hold up every other thread of the process meanwhile
    return native.joined([np.frombuffer(part, np.uint8) for part in parts])


def _header_text(delta: Delta, layout: str, checksums: dict[str, str]) -> bytes:
    values = {"checksum": UNSIGNED, **to_dict(header_of(delta, layout, checksums))}
    try:
        text = json.dumps(values, allow_nan=False)
        if json.loads(text)["extra"] != delta.extra:
            raise TypeError("it holds tuples or keys that are not strings")
    except (TypeError, ValueError) as error:
        raise InputError(f"extra of a delta must be of plain JSON types: {error}") from None
    return text.encode()


def _arrays(delta: Delta) -> dict[str, NDArray[Any]]:
    header = header_of(delta, UNSIGNED, {})
    arrays: dict[str, NDArray[Any]] = {}
    for name, table in delta.tables.items():
        tensors = table_tensors(name, header.tables[name])
        for column_name, array in _columns(name, table).items():
            arrays[column_name] = _fitted(column_name, array, tensors[column_name])
    dense = {
        DENSE + name: np.require(array, requirements="C") for name, array in delta.dense.items()
    }
    return arrays | dense


def _columns(name: str, table: TableDelta) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"ids": table.ids, "weights": table.coded.values}
    if table.coded.scales is not None:
        columns["scales"] = table.coded.scales
    columns |= {"tombstones": table.tombstones, "reasons": table.reasons}
    if table.training is not None:
        columns |= table.training.columns
        columns |= {f"admission_{n}": a.reshape(-1) for n, a in table.training.admission.items()}
    return {column(name, each): array for each, array in columns.items()}


def _fitted(name: str, array: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    if array.dtype != tensor.dtype or array.shape != tensor.shape:
        raise InputError(
            f"{name} of a delta must be {tensor.dtype} of shape {tensor.shape},"
            f" got {array.dtype} of shape {array.shape}"
        )
    return np.ascontiguousarray(array)
