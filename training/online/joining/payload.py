"""The columns of waiting impressions, in blocks; beyond a bound the oldest blocks lie on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from recsys_embed.errors import SpillError

BLOCK_ROWS = 1 << 16
Integers = NDArray[np.int64]


@dataclass
class Block:
    """Rows by ascending number, of which `left` still wait; on disk where it has a path."""

    frame: pl.DataFrame
    numbers: Integers
    left: int
    nbytes: int
    path: Path | None = None


class Payload:
    """Rows by number, each of which is taken once.

    Small blocks are merged, so that there are few of them; a block goes when all its rows did.

    Args:
        folder: for blocks on disk; made when needed.
        max_bytes: of rows in memory.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._blocks: list[Block] = []
        self._written = 0
        for path in folder.glob("waiting-*.arrow"):
            path.unlink()

    @property
    def spilled_bytes(self) -> int:
        """What lies on disk."""
        return sum(block.nbytes for block in self._blocks if block.path)

    def append(self, frame: pl.DataFrame, numbers: Integers) -> None:
        """Adds rows whose numbers ascend beyond all that are here.

        Raises:
            SpillError: if the disk takes no more.
        """
        self._blocks.append(Block(frame, numbers, len(numbers), int(frame.estimated_size())))
        while self._merges():
            last, before = self._blocks.pop(), self._blocks.pop()
            merged = pl.concat([before.frame, last.frame], rechunk=True)
            numbers = np.concatenate([before.numbers, last.numbers])
            left = before.left + last.left
            self._blocks.append(Block(merged, numbers, left, int(merged.estimated_size())))
        in_memory = [block for block in self._blocks if not block.path]
        nbytes = sum(block.nbytes for block in in_memory)
        for block in in_memory:
            if nbytes <= self._max_bytes:
                break
            nbytes -= block.nbytes
            self._spill(block)

    def take(self, numbers: Integers) -> pl.DataFrame:
        """Gives rows in the order asked, and forgets them."""
        firsts = np.array([block.numbers[0] for block in self._blocks])
        of_block = np.searchsorted(firsts, numbers, side="right") - 1
        parts = []
        for index in np.unique(of_block):
            block, wanted = self._blocks[index], numbers[of_block == index]
            parts.append(block.frame[np.searchsorted(block.numbers, wanted)])
            block.left -= len(wanted)
        self._drop_empty()
        return in_order(parts, of_block)

    def rows(self, numbers: Integers) -> list[pl.DataFrame]:
        """Gives the rows of ascending numbers, block by block, and keeps them."""
        return [b.frame.filter(np.isin(b.numbers, numbers)) for b in self._blocks]

    def clear(self) -> None:
        """Forgets everything."""
        for block in self._blocks:
            block.left = 0
        self._drop_empty()

    def _merges(self) -> bool:
        if len(self._blocks) < 2 or self._blocks[-2].path:
            return False
        before, last = (len(block.numbers) for block in self._blocks[-2:])
        return before <= 2 * last and before + last <= BLOCK_ROWS

    def _spill(self, block: Block) -> None:
        path = self._folder / f"waiting-{self._written:08d}.arrow"
        self._written += 1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            block.frame.write_ipc(path)
            with pa.memory_map(str(path)) as mapped:
                block.frame = pl.DataFrame(pa.ipc.open_file(mapped).read_all())
        except OSError as error:
            raise SpillError(
                f"cannot put {block.nbytes:,} bytes of waiting records into {path}: {error}; make"
                " room there, or let join.memory_mib hold more of them in memory"
            ) from error
        block.path = path

    def _drop_empty(self) -> None:
        for block in self._blocks:
            if not block.left and block.path:
                block.path.unlink(missing_ok=True)
        self._blocks = [block for block in self._blocks if block.left]


def in_order(parts: Sequence[pl.DataFrame], of_part: NDArray[Any]) -> pl.DataFrame:
    """Mixes the rows of parts: row i is the next one of the part whose name is `of_part[i]`.

    Args:
        parts: in ascending order of their names.
        of_part: the name of the part of each row.

    Example:
        >>> parts = [pl.DataFrame({"a": [1, 3]}), pl.DataFrame({"a": [2]})]
        >>> in_order(parts, np.array([0, 7, 0]))["a"].to_list()
        [1, 2, 3]
    """
    back = np.empty(len(of_part), np.int64)
    back[np.argsort(of_part, kind="stable")] = np.arange(len(of_part))
    return pl.concat(parts)[back]
