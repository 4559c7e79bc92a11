"""Integers, floats and truth values by slot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.growing import Growing

Mask = NDArray[np.bool_]


class NumberColumn:
    """Holds one number or truth value a slot, or none. Threads: as `Growing`.

    Args:
        dtype: int64, float64 or bool.
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)
        self._values, self._present = Growing(dtype), Growing(bool)

    def write(self, start: int, values: Sequence[Any]) -> None:
        """Puts N values, None for an absent one, at slots [start, start + N)."""
        self._present.write(start, np.array([v is not None for v in values], bool))
        self._values.write(start, np.array([0 if v is None else v for v in values], self._dtype))

    def present(self, start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have a value."""
        return self._present.read(start, stop)

    def one_of(self, wanted: Sequence[Any], start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have one of the wanted values."""
        values = self._values.read(start, stop)
        if len(wanted) == 1:
            mask: Mask = values == wanted[0]
        else:
            mask = np.isin(values, np.array(wanted, self._dtype))
        return mask & self.present(start, stop)

    def within(self, low: float | None, high: float | None, start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have a value in [low, high]; None is no bound."""
        values, mask = self._values.read(start, stop), self.present(start, stop)
        if low is not None:
            mask = mask & (values >= low)
        if high is not None:
            mask = mask & (values <= high)
        return mask

    def take(self, slots: NDArray[np.int64]) -> list[Any]:
        """Gives the values at some slots, None where there is none."""
        present = self._present.at(slots).tolist()
        values = self._values.at(slots).tolist()
        return [
            value if is_there else None for value, is_there in zip(values, present, strict=True)
        ]

    def kept(self, slots: NDArray[np.int64]) -> "NumberColumn":
        """Gives a new column of some slots."""
        column = NumberColumn(self._dtype)
        column._values.write(0, self._values.at(slots))
        column._present.write(0, self._present.at(slots))
        return column

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._values.nbytes + self._present.nbytes
