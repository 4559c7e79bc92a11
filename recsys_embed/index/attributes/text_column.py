"""Strings by slot, each as the number of its word."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.growing import Growing

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]
ABSENT = -1
FEW = 4  # up to here, comparing with each code in turn beats looking all of them up


class Words:
    """Numbers distinct strings in the order in which they came.

    One thread adds. Any thread may read: a word is there before a slot that refers to it is seen.

    Example:
        >>> words = Words()
        >>> words.encode(["FR", None, "DE", "FR"]), words.known(["DE", "IT"])
        (array([ 0, -1,  1,  0], dtype=int32), [1])
    """

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {None: ABSENT}
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._texts)

    def encode(self, texts: Sequence[str | None]) -> Codes:
        """Gives the codes of N strings, new ones where they are new, int32 (N,)."""
        for text in dict.fromkeys(texts):
            if text is not None and text not in self._codes:
                self._texts.append(text)
                self._codes[text] = len(self._texts) - 1
        return np.fromiter(map(self._codes.__getitem__, texts), np.int32, len(texts))

    def known(self, texts: Iterable[str]) -> list[int]:
        """Gives the codes of those strings that have one."""
        return [code for text in texts if (code := self._codes.get(text)) is not None]

    def texts(self, codes: Codes) -> list[str | None]:
        """Gives the strings of N codes, None for that of an absent one."""
        return [None if code == ABSENT else self._texts[code] for code in codes.tolist()]

    def only(self, codes: Codes) -> tuple["Words", Codes]:
        """Gives new words that hold those of N codes alone, and their codes there, int32 (N,)."""
        used = np.unique(codes[codes != ABSENT])
        words = Words()
        words.encode(self.texts(used))
        renamed = np.full(len(self) + 1, ABSENT, np.int32)  # the last place is that of ABSENT, -1
        renamed[used] = np.arange(len(used))
        return words, renamed[codes]

    def among(self, codes: Codes, wanted: Iterable[str]) -> Mask:
        """Tells which of N codes are those of wanted strings, bool (N,)."""
        known = self.known(wanted)
        if len(known) <= FEW:
            mask = np.zeros(len(codes), bool)
            for code in known:
                mask |= codes == code
            return mask
        is_wanted = np.zeros(len(self) + 1, bool)  # the last place is that of ABSENT, -1
        is_wanted[known] = True
        found: Mask = is_wanted[codes]
        return found


class TextColumn:
    """Holds one string a slot, or none. Threads: as `Growing` and `Words`."""

    def __init__(self) -> None:
        self._words, self._codes = Words(), Growing(np.int32)

    def write(self, start: int, values: Sequence[str | None]) -> None:
        """Puts N strings, None for an absent one, at slots [start, start + N)."""
        self._codes.write(start, self._words.encode(values))

    def present(self, start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have a string."""
        mask: Mask = self._codes.read(start, stop) != ABSENT
        return mask

    def one_of(self, wanted: Sequence[str], start: int, stop: int) -> Mask:
        """Tells which slots of [start, stop) have one of the wanted strings."""
        return self._words.among(self._codes.read(start, stop), wanted)

    def take(self, slots: NDArray[np.int64]) -> list[Any]:
        """Gives the strings at some slots, None where there is none."""
        return list(self._words.texts(self._codes.at(slots)))

    def kept(self, slots: NDArray[np.int64]) -> "TextColumn":
        """Gives a new column of some slots, and of their words alone."""
        column = TextColumn()
        column._words, codes = self._words.only(self._codes.at(slots))
        column._codes.write(0, codes)
        return column

    @property
    def nbytes(self) -> int:
        """Bytes held, those of the words left out."""
        return self._codes.nbytes
