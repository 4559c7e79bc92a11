"""XXH64 checksums of buffers and of parts of files, spelled as 16 hexadecimal digits."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native


def hex_digest(hasher: native.Xxh64) -> str:
    """Spells a 64-bit checksum as 16 hexadecimal digits, the highest first."""
    return f"{hasher.digest():016x}"


def checksum(data: bytes) -> str:
    """Gives the XXH64 (seed 0) of some bytes.

    Example:
        >>> checksum(b"")
        'ef46db3751d8e999'
    """
    hasher = native.Xxh64()
    hasher.update(data)
    return hex_digest(hasher)


def array_checksum(array: NDArray[Any]) -> str:
    """Gives the XXH64 (seed 0) of an array's bytes, without a copy where it is contiguous.

    Example:
        >>> array_checksum(np.zeros((0, 4)))
        'ef46db3751d8e999'
    """
    hasher = native.Xxh64()
    if array.size:
        hasher.update(np.ascontiguousarray(array).data.cast("B"))
    return hex_digest(hasher)


def checksum_file(path: Path, start: int, nbytes: int, block_bytes: int = 1 << 20) -> str:
    """Gives the XXH64 (seed 0) of `nbytes` bytes of a file, from byte `start`.

    It reads instead of mapping, so that a bad sector is an error and not the end of the process.
    Of a file that ends early it covers what is there.

    Raises:
        OSError: as the system says.
    """
    hasher, buffer = native.Xxh64(), memoryview(bytearray(min(block_bytes, nbytes)))
    at, end = start, start + nbytes
    with path.open("rb", buffering=0) as file:
        while at < end and (count := os.preadv(file.fileno(), [buffer[: end - at]], at)):
            hasher.update(buffer[:count])
            at += count
    return hex_digest(hasher)
