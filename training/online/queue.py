"""Events that are joined and not yet trained on."""

import io
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


class EventQueue:
    """First in, first out; frames of one schema go in, frames of any length come out.

    Concurrency: one thread.

    Example:
        >>> queue = EventQueue()
        >>> queue.push(pl.DataFrame({"key": ["a", "b"]}))
        >>> queue.push(pl.DataFrame({"key": ["c"]}))
        >>> queue.take(2)["key"].to_list(), len(queue)
        (['a', 'b'], 1)
    """

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, events: pl.DataFrame) -> None:
        """Puts events at the end."""
        if len(events):
            self._frames.append(events)
            self._length += len(events)

    def take(self, count: int) -> pl.DataFrame:
        """Takes the first `count` events, or all if there are fewer."""
        whole = pl.concat(self._frames) if self._frames else pl.DataFrame()
        taken, rest = whole[:count], whole[count:]
        self._frames, self._length = ([rest] if len(rest) else []), len(rest)
        return taken

    def state(self) -> NDArray[np.uint8]:
        """Gives everything in the queue as bytes (an Arrow IPC file)."""
        file = io.BytesIO()
        if self._frames:
            pl.concat(self._frames).write_ipc(file)
        return np.frombuffer(file.getvalue(), np.uint8)

    def restore(self, state: NDArray[Any]) -> None:
        """Holds what `state` gave, and nothing else."""
        self._frames, self._length = [], 0
        if state.size:
            self.push(pl.read_ipc(io.BytesIO(state.tobytes())))
