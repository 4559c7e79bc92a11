"""An array that grows at its end while others read what stands before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """Holds values by position; a position that was published is never written again.

    One thread writes. Any thread may read positions below a length that the writer published after
    writing them: growing copies into a new array, and the old one stays with its readers.

    Args:
        dtype: of the values.

    Example:
        >>> numbers = Growing(np.int64)
        >>> numbers.write(0, np.array([3, 4]))
        >>> numbers.read(0, 2)
        array([3, 4])
    """

    def __init__(self, dtype: Any) -> None:
        self._buffer: NDArray[Any] = np.empty(0, dtype)

    def write(self, start: int, values: NDArray[Any]) -> None:
        """Puts N values at [start, start + N), behind all that any reader may look at."""
        stop = start + len(values)
        if stop <= len(self._buffer):
            self._buffer[start:stop] = values
            return
        grown = np.empty(max(stop, 2 * len(self._buffer), 16), self._buffer.dtype)
        grown[:start] = self._buffer[:start]
        grown[start:stop] = values
        self._buffer = grown

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Views the values at [start, stop)."""
        return self._buffer[start:stop]

    def at(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Gives copies of the values at some positions."""
        return self._buffer[positions]

    @property
    def nbytes(self) -> int:
        """Bytes held, the room to grow into included."""
        return int(self._buffer.nbytes)
