"""The header of a safetensors file: what it holds and where each tensor lies.

A file is: header length (u64, little-endian), header (JSON, padded with spaces), data. Every tensor
begins at a multiple of 64 bytes of the file, so that a row of a mapped table spans as few cache
lines as it can; the format allows no hole, so a U8 tensor of zeros, `__pad_<next>`, fills each.
Any safetensors library reads these files: https://huggingface.co/docs/safetensors.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recsys_embed.errors import InputError

ALIGNMENT = 64
PADDING = "__pad_"
METADATA = "__metadata__"
DTYPES = {
    "BOOL": "?",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
CODES = {np.dtype(spelling): code for code, spelling in DTYPES.items()}


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file: its dtype, its shape and the byte of the file at which it begins."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Layout:
    """Where each tensor of a file lies, and the header (length included) that says so."""

    header: bytes
    tensors: dict[str, Tensor]

    @property
    def nbytes(self) -> int:
        """Bytes of the whole file."""
        return max((t.start + t.nbytes for t in self.tensors.values()), default=len(self.header))


def layout(tensors: Mapping[str, Tensor]) -> Layout:
    """Lays tensors out one after the other, each at a multiple of 64 bytes.

    Args:
        tensors: dtype and shape of each, by name; `start` is ignored.

    Raises:
        InputError: for a name or dtype that a safetensors file cannot hold.

    Example:
        >>> ids, count = Tensor(np.dtype("<i8"), (3,)), Tensor(np.dtype("<u4"), (3,))
        >>> plan = layout({"ids": ids, "count": count})
        >>> list(plan.tensors), len(plan.header) % 64
        (['ids', '__pad_count', 'count'], 0)
    """
    placed: dict[str, Tensor] = {}
    end = 0
    for name, tensor in tensors.items():
        if name.startswith(PADDING) or name == METADATA:
            raise InputError(f"a tensor may not be called {name!r}: the file format uses that name")
        if gap := -end % ALIGNMENT:
            placed[PADDING + name] = Tensor(np.dtype("u1"), (gap,), end)
            end += gap
        placed[name] = replace(tensor, start=end)
        end += tensor.nbytes
    header = _header(placed)
    return Layout(header, {n: replace(t, start=len(header) + t.start) for n, t in placed.items()})


def _header(tensors: Mapping[str, Tensor]) -> bytes:
    entries = {
        name: {
            "dtype": _code(name, tensor.dtype),
            "shape": list(tensor.shape),
            "data_offsets": [tensor.start, tensor.start + tensor.nbytes],
        }
        for name, tensor in tensors.items()
    }
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _code(name: str, dtype: np.dtype[Any]) -> str:
    if dtype not in CODES:
        raise InputError(
            f"tensor {name!r} has dtype {dtype}; a snapshot holds {', '.join(map(str, CODES))}"
        )
    return CODES[dtype]
