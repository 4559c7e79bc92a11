"""Any number of strings by slot, each as the number of its word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.growing import Growing
from recsys_embed.index.attributes.text_column import Codes, Mask, Words

Counts = NDArray[np.int64]


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
        codes = self._words.encode([tag for tags in values for tag in tags or ()])
        counts = np.array([len(tags or ()) for tags in values], np.int64)
        self._write(start, codes, counts, np.array([tags is not None for tags in values], bool))

    def _write(self, start: int, codes: Codes, counts: Counts, present: Mask) -> None:
        first = self._end(start)
        self._codes.write(first, codes)
        self._slots.write(first, np.repeat(np.arange(start, start + len(counts)), counts))
        self._ends.write(start, first + np.cumsum(counts))
        self._present.write(start, present)

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
        codes, counts = self._gathered(slots)
        texts, ends = self._words.texts(codes), np.cumsum(counts)
        spans = zip((ends - counts).tolist(), ends.tolist(), strict=True)
        present = self._present.at(slots).tolist()
        return [
            tuple(texts[a:b]) if there else None
            for there, (a, b) in zip(present, spans, strict=True)
        ]

    def kept(self, slots: NDArray[np.int64]) -> "TagColumn":
        """Gives a new column of some slots, and of their words alone."""
        column = TagColumn()
        codes, counts = self._gathered(slots)
        column._words, renamed = self._words.only(codes)
        column._write(0, renamed, counts, self._present.at(slots))
        return column

    def _gathered(self, slots: NDArray[np.int64]) -> tuple[Codes, Counts]:
        """Gives the codes of some slots one after the other, and how many are of each."""
        ends = self._ends.at(slots)
        counts = ends - np.where(slots > 0, self._ends.at(slots - 1), 0)
        begins = np.repeat(ends - np.cumsum(counts), counts)
        return self._codes.at(begins + np.arange(len(begins))), counts

    def _end(self, slot: int) -> int:
        """Gives where the tags of the slots before this one end."""
        return int(self._ends.read(slot - 1, slot)[0]) if slot else 0

    @property
    def nbytes(self) -> int:
        """Bytes held, those of the words left out."""
        parts = (self._codes, self._slots, self._ends, self._present)
        return sum(part.nbytes for part in parts)
