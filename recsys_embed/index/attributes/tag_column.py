"""Any number of strings by slot, each as the number of its word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.growing import Growing
from recsys_embed.index.attributes.text_column import Mask, Words


class TagColumn:
    """Holds a tuple of distinct strings a slot, or none. Threads: as `Growing` and `Words`.

    The tags of slot s stand at [ends[s - 1], ends[s]) of `codes`; `slots` says whose each one is.
    """

    def __init__(self) -> None:
        self._words = Words()
        self._codes, self._slots = Growing(np.int32), Growing(np.int64)
        self._ends, self._present = Growing(np.int64), Growing(bool)

    def write(self, start: int, values: Sequence[tuple[str, ...] | None]) -> None:
        """Puts N tuples, None for an absent one, at slots [start, start + N)."""
        counts = np.array([len(tags or ()) for tags in values], np.int64)
        first = self._end(start)
        self._codes.write(first, self._words.encode([t for tags in values for t in tags or ()]))
        self._slots.write(first, np.repeat(np.arange(start, start + len(values)), counts))
        self._ends.write(start, first + np.cumsum(counts))
        self._present.write(start, np.array([tags is not None for tags in values], bool))

    def present(self, start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have tags, be they none."""
        return self._present.read(start, stop)

    def one_of(self, wanted: Sequence[str], start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have at least one of the wanted tags."""
        first, last = self._end(start), self._end(stop)
        hits = self._words.among(self._codes.read(first, last), wanted)
        mask = np.zeros(stop - start, bool)
        mask[self._slots.read(first, last)[hits] - start] = True
        return mask

    def take(self, slots: NDArray[np.int64]) -> list[Any]:
        """Gives the tags at some slots as tuples, None where there are none."""
        return [self._tags(slot) for slot in slots.tolist()]

    def _tags(self, slot: int) -> tuple[str | None, ...] | None:
        if not self._present.read(slot, slot + 1)[0]:
            return None
        codes = self._codes.read(self._end(slot), self._end(slot + 1))
        return tuple(self._words.text(code) for code in codes.tolist())

    def _end(self, slot: int) -> int:
        """Gives where the tags of the slots before this one end."""
        return int(self._ends.read(slot - 1, slot)[0]) if slot else 0

    @property
    def nbytes(self) -> int:
        """Bytes held, those of the words left out."""
        parts = (self._codes, self._slots, self._ends, self._present)
        return sum(part.nbytes for part in parts)
