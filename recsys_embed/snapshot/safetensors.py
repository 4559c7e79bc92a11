"""Safetensors files with numpy alone: written block by block, read through a memory map."""

import math
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import InputError
from recsys_embed.snapshot.checksums import hex_digest
from recsys_embed.snapshot.layout import PADDING, Layout


class TensorFileWriter:
    """Writes a safetensors file whose tensors arrive in blocks, in any interleaving.

    Each block goes to its place with `pwrite` and into its tensor's checksum, without a copy. One
    thread at a time may use a writer; several writers run in parallel (both calls release the GIL).

    Args:
        path: a file that does not exist yet.
        plan: what the file will hold.

    Example:
        >>> import tempfile
        >>> from recsys_embed.snapshot.headers import read_layout
        >>> from recsys_embed.snapshot.layout import Tensor, layout
        >>> plan = layout({"ids": Tensor(np.dtype("<i8"), (3,))})
        >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
        >>> with TensorFileWriter(path, plan) as file:
        ...     file.append("ids", np.array([1, 2]))
        ...     file.append("ids", np.array([3]))
        ...     checksums = file.finish()
        >>> map_tensors(path, read_layout(path))["ids"]
        array([1, 2, 3])
    """

    def __init__(self, path: Path, plan: Layout) -> None:
        self._path = path
        self._plan = plan
        self._written = dict.fromkeys(plan.tensors, 0)
        self._hashers = {name: native.Xxh64() for name in plan.tensors}
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def __enter__(self) -> "TensorFileWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def append(self, name: str, block: NDArray[Any]) -> None:
        """Writes the next bytes of a tensor.

        Raises:
            InputError: if the block has another dtype than the tensor or does not fit any more.
            OSError: as the system says.
        """
        tensor, done = self._plan.tensors[name], self._written[name]
        if block.dtype != tensor.dtype or done + block.nbytes > tensor.nbytes:
            raise InputError(
                f"{self._path.name}: tensor {name!r} takes {tensor.nbytes - done} more bytes of"
                f" {tensor.dtype}, got {block.nbytes} of {block.dtype}"
            )
        if block.nbytes:
            data = np.ascontiguousarray(block).data.cast("B")
            self._hashers[name].update(data)
            _pwrite_all(self._fd, data, tensor.start + done)
            self._written[name] = done + block.nbytes

    def finish(self) -> dict[str, str]:
        """Writes the header and brings the file to disk; returns the XXH64 of all but paddings.

        Raises:
            InputError: if a tensor has not been written to its end.
            OSError: as the system says.
        """
        paddings = {name for name in self._plan.tensors if name.startswith(PADDING)}
        for name, tensor in self._plan.tensors.items():
            if name in paddings:
                self.append(name, np.zeros(tensor.shape, tensor.dtype))
            if self._written[name] != tensor.nbytes:
                raise InputError(
                    f"{self._path.name}: tensor {name!r} was announced with {tensor.nbytes} bytes,"
                    f" but {self._written[name]} came"
                )
        _pwrite_all(self._fd, memoryview(self._plan.header), 0)
        os.fsync(self._fd)
        return {
            name: hex_digest(hasher)
            for name, hasher in self._hashers.items()
            if name not in paddings
        }


def _pwrite_all(fd: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written


def map_tensors(path: Path, plan: Layout) -> dict[str, NDArray[Any]]:
    """Maps a file's tensors into memory, read-only; the pages are read when they are touched.

    The arrays keep the map alive, also when the file has been deleted.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(data, t.dtype, math.prod(t.shape), t.start).reshape(t.shape)
        for name, t in plan.tensors.items()
        if not name.startswith(PADDING)
    }
