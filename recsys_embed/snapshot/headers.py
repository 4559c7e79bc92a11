"""The header of a safetensors file read back, strictly."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recsys_embed.errors import SnapshotCorruptError
from recsys_embed.snapshot.layout import DTYPES, Layout, Tensor

MAX_HEADER_BYTES = 100_000_000


def read_layout(path: Path) -> Layout:
    """Reads what a file holds from its header, strictly, without reading its data.

    Raises:
        SnapshotCorruptError: naming file, tensor, what was expected and what was found.
        OSError: as the system says.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        head = length.to_bytes(8, "little") + file.read(min(length, MAX_HEADER_BYTES))
    try:
        return parse_layout(head, size)
    except ValueError as error:
        raise SnapshotCorruptError(f"{path}: {error}") from None


def parse_layout(head: bytes | bytearray | memoryview, size: int) -> Layout:
    """Reads from the first bytes of a file of `size` bytes what it holds, strictly.

    Raises:
        ValueError: for a header that is damaged or describes a file of another size.
    """
    length = int.from_bytes(head[:8], "little")
    if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
        raise ValueError(f"the header is said to be {length} bytes long in a file of {size} bytes")
    text = bytes(head[8 : 8 + length])
    try:
        found = _tensors_of(json.loads(text), 8 + length)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"the header is not one of a safetensors file: {error}") from None
    plan = Layout(bytes(head[: 8 + length]), found)
    if plan.nbytes != size:
        raise ValueError(f"the header describes a file of {plan.nbytes} bytes, found {size} bytes")
    return plan


def _tensors_of(entries: Mapping[str, Any], data_start: int) -> dict[str, Tensor]:
    """Turns a parsed header into tensors, refusing holes, overlaps and sizes that disagree."""
    tensors: dict[str, Tensor] = {}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        begin, after = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, after)):
            raise ValueError(f"tensor {name!r} has shape {shape} at bytes {begin} to {after}")
        tensor = Tensor(np.dtype(DTYPES[entry["dtype"]]), shape, data_start + begin)
        if begin != end or after - begin != tensor.nbytes:
            raise ValueError(
                f"tensor {name!r} should take bytes {end} to {end + tensor.nbytes},"
                f" found {begin} to {after}"
            )
        tensors[name], end = tensor, after
    return tensors
