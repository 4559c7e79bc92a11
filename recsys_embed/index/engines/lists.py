"""What is known of the lists of an inverted file: which slots they hold and where those lie."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.engines.protocol import Floats, Mask, Slots

BLOCK = 4096  # rows summed at once: a sum keeps other threads from running
Doubles = NDArray[np.float64]


class Lists(NamedTuple):
    """Slots and moments of L lists; it never changes.

    Attributes:
        of: int32 (slots,), the list of each slot; L for a slot that is in none.
        counts: int64 (L,), vectors ever put into each.
        sums: float64 (L, D), of them.
        squares: float64 (L,), sums of their squared lengths.
    """

    of: NDArray[np.int32]
    counts: Slots
    sums: Doubles
    squares: Doubles

    @classmethod
    def empty(cls, number: int, dim: int) -> "Lists":
        """Gives lists that hold nothing."""
        counts = np.zeros(number, np.int64)
        return cls(np.zeros(0, np.int32), counts, np.zeros((number, dim)), np.zeros(number))

    def keeping(self, keep: Mask | None) -> "Lists":
        """Gives the lists without the slots that are not kept."""
        if keep is None:
            return self
        return self._replace(of=np.where(keep[: len(self.of)], self.of, len(self.counts)))

    def plus(self, slots: Slots, vectors: Floats, lists: Slots) -> "Lists":
        """Gives the lists with further vectors (n, D) in given lists (n,), of rising slots (n,)."""
        if not len(slots):
            return self
        of = np.full(int(slots[-1]) + 1, len(self.counts), np.int32)
        of[: len(self.of)] = self.of
        of[slots] = lists
        counts = self.counts + np.bincount(lists, minlength=len(self.counts))
        sums, squares = self.sums.copy(), self.squares.copy()
        for start in range(0, len(slots), BLOCK):
            rows = slice(start, start + BLOCK)
            np.add.at(sums, lists[rows], vectors[rows])
            np.add.at(squares, lists[rows], np.einsum("nd,nd->n", vectors[rows], vectors[rows]))
        return Lists(of, counts, sums, squares)

    def held(self, mask: Mask) -> Slots:
        """Counts in each list the slots that a mask admits, (L,)."""
        chosen = self.of[np.flatnonzero(mask[: len(self.of)])]
        return np.bincount(chosen, minlength=len(self.counts) + 1)[:-1]

    def means(self) -> Floats:
        """Gives the mean vector of each list, (L, D)."""
        return (self.sums / np.maximum(self.counts, 1)[:, None]).astype(np.float32)

    def spreads(self) -> Floats:
        """Gives the standard deviation of each list's vectors in one direction, (L,)."""
        counts, dim = np.maximum(self.counts, 1), self.sums.shape[1]
        means = self.sums / counts[:, None]
        variances = self.squares / counts - np.einsum("ld,ld->l", means, means)
        spreads: Floats = np.sqrt(np.maximum(variances, 0) / dim).astype(np.float32)
        return spreads


def share_above(distance: Floats) -> Floats:
    """Gives the share of a normal distribution that lies so many deviations above its mean.

    By a formula that is off by at most 0.007, and by a sixth of itself up to 4 deviations: numpy
    has no error function.

    Example:
        >>> share_above(np.array([-2.0, 0.0, 2.0])).round(3).tolist()
        [0.977, 0.5, 0.023]
    """
    far = np.abs(distance)
    tail = 0.5 * np.exp(-far * (0.717 + 0.416 * far))
    share: Floats = np.where(distance < 0, 1 - tail, tail)
    return share
