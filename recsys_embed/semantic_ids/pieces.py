"""Pieces of semantic IDs: frequent runs of codes get a row of their own."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.semantic_ids.codebooks import checked_codes
from recsys_embed.semantic_ids.nearest import Codes, Floats

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """A unigram language model over runs of codes: an ID falls into its likeliest pieces.

    Every single code of every level is a piece, so every ID has pieces. They are plain arrays, so
    that segmenting needs numpy alone; `train_pieces` learns them with SentencePiece.

    Kudo, arXiv 1804.10959, §3; semantic IDs: Singh et al., arXiv 2306.08121, §4.2.

    Args:
        codes: int32 (P, L); a piece has its codes at the levels it covers, which are adjacent, and
            -1 elsewhere.
        scores: float32 (P,), log probabilities.

    Raises:
        InputError: for other shapes, codes with holes, or a code that is no piece by itself.

    Example:
        >>> pieces = Pieces([[0, -1], [1, -1], [-1, 0], [-1, 1], [1, 1]], [-2, -2, -2, -2, -1])
        >>> pieces.segment([[1, 1], [0, 1]])
        array([[ 4, -1],
               [ 0,  3]])
    """

    codes: Codes
    scores: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "codes", np.ascontiguousarray(self.codes, np.int32))
        object.__setattr__(self, "scores", np.ascontiguousarray(self.scores, np.float32))
        if self.codes.ndim != 2 or self.scores.shape != self.codes.shape[:1]:
            raise InputError(
                f"pieces have codes (P, L) and scores (P,), got {self.codes.shape} and"
                f" {self.scores.shape}"
            )
        covered = self.codes >= 0
        runs = np.count_nonzero(np.diff(covered, prepend=False, axis=1) & covered, axis=1)
        if (runs != 1).any():
            raise InputError(f"piece {int(np.argmax(runs != 1))} does not cover adjacent levels")
        singles = np.unique(self.codes[covered.sum(axis=1) == 1], axis=0)
        if len(singles) != (needed := self.levels * self.per_level):
            raise InputError(
                f"{self.levels} levels of {self.per_level} codes need {needed} pieces of one code,"
                f" got {len(singles)}"
            )

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def levels(self) -> int:
        """L, the codes of one semantic ID."""
        return int(self.codes.shape[1])

    @property
    def per_level(self) -> int:
        """K, the codes of one level."""
        return int(self.codes.max(initial=-1)) + 1

    def segment(self, codes: ArrayLike) -> Places:
        """Gives N IDs their pieces of the highest total score, in order, int64 (N, L).

        Behind the last piece of an ID stands -1. Of equal totals the one with longer pieces first
        wins.

        Args:
            codes: (N, L), each in [0, K).

        Raises:
            InputError: for another number of levels or codes that do not exist.
        """
        given = checked_codes(codes, self.levels, self.per_level)
        if given.shape[1] != self.levels:
            raise InputError(f"expected {self.levels} codes an ID, got {given.shape[1]}")
        last, starts = self._viterbi(given)
        pieces = np.full((len(given), self.levels), -1)
        at, rows = np.full(len(given), self.levels), np.arange(len(given))
        for column in range(self.levels - 1, -1, -1):
            pieces[:, column] = np.where(at > 0, last[rows, at], -1)
            at = np.where(at > 0, starts[rows, at], 0)
        front = np.argsort(pieces < 0, axis=1, kind="stable")
        return np.take_along_axis(pieces, front, axis=1)

    def _viterbi(self, codes: Codes) -> tuple[Places, Places]:
        """Gives, for each ID and end, the last piece of the best way there and where it starts."""
        shape = (len(codes), self.levels + 1)
        best, last = np.full(shape, -np.inf, np.float32), np.full(shape, -1)
        starts = np.zeros(shape, np.int64)
        best[:, 0] = 0
        for start in range(self.levels):
            ids = np.arange(len(codes))
            nodes = np.full(len(codes), start)
            for end in range(start + 1, self.levels + 1):
                nodes = self._trie.step(nodes, codes[ids, end - 1])
                ids, nodes = ids[nodes >= 0], nodes[nodes >= 0]
                piece = self._trie.pieces[nodes]
                score = best[ids, start] + self.scores[piece]
                better = (piece >= 0) & (score > best[ids, end])
                where = ids[better], end
                best[where], last[where], starts[where] = score[better], piece[better], start
        return last, starts

    @functools.cached_property
    def _trie(self) -> "_Trie":
        return _Trie(self.codes, self.per_level)


class _Trie:
    """Walks pieces code by code. Nodes 0 to L - 1 are the roots, one for each level to start at.

    Args:
        codes: of the pieces, (P, L).
        per_level: K.
    """

    def __init__(self, codes: Codes, per_level: int) -> None:
        levels = codes.shape[1]
        starts = np.argmax(codes >= 0, axis=1)
        lengths = np.count_nonzero(codes >= 0, axis=1)
        nodes, count, keys = starts.astype(np.int64), levels, []
        for depth in range(levels):
            some = np.flatnonzero(lengths > depth)
            key = nodes[some] * per_level + codes[some, starts[some] + depth]
            found, inverse = np.unique(key, return_inverse=True)
            nodes[some] = count + inverse
            keys.append(found)
            count += len(found)
        self._keys = np.concatenate(keys)  # ascend, as nodes do with depth
        self._roots, self._per_level = levels, per_level
        self.pieces = np.full(count, -1)
        self.pieces[nodes] = np.arange(len(codes))

    def step(self, nodes: Places, codes: Codes) -> Places:
        """Gives the child of each node (N,) at its code (N,); -1 where there is none."""
        wanted = nodes * self._per_level + codes
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at + self._roots, -1)
