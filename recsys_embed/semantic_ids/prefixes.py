"""From semantic IDs back to items: who shares a prefix, and how near those are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError


class PrefixIndex:
    """Finds items by the first codes of their semantic IDs, by binary search.

    Args:
        ids: int64 (N,), of the items.
        codes: integers (N, L), their semantic IDs.

    Raises:
        InputError: if there are not as many ids as codes.

    Example:
        >>> index = PrefixIndex([7, 8, 9], [[0, 1], [2, 0], [0, 0]])
        >>> index.items([0]), index.items([2, 0]), index.items([1])
        (array([9, 7]), array([8]), array([], dtype=int64))
    """

    def __init__(self, ids: ArrayLike, codes: ArrayLike) -> None:
        items, given = np.asarray(ids, np.int64), np.asarray(codes)
        if items.ndim != 1 or given.ndim != 2 or len(items) != len(given):
            raise InputError(
                f"expected ids (N,) and codes (N, L), got shapes {items.shape} and {given.shape}"
            )
        order = np.lexsort((items, *given.T[::-1]))
        self._ids, self._codes = items[order], given[order]

    @property
    def levels(self) -> int:
        """L, the codes of one semantic ID."""
        return int(self._codes.shape[1])

    def items(self, prefix: Sequence[int]) -> NDArray[np.int64]:
        """Gives the ids of the items whose semantic IDs begin so, in the order of their IDs.

        Args:
            prefix: up to L codes; none: all items.

        Raises:
            InputError: for more than L codes.
        """
        if len(prefix) > self.levels:
            raise InputError(
                f"a prefix has up to {self.levels} codes here, got {len(prefix)}: {list(prefix)}"
            )
        start, end = 0, len(self._ids)
        for level, code in enumerate(prefix):
            column = self._codes[start:end, level]
            low, high = np.searchsorted(column, [code, code + 1])
            start, end = start + int(low), start + int(high)
        return self._ids[start:end]


class SharedPrefix(NamedTuple):
    """What items have in common whose semantic IDs share their first codes.

    Args:
        length: of the prefix; 0: all items.
        prefixes: distinct ones.
        mean_items: items under a prefix, on average over items.
        pairs: pairs of items that share one.
        mean_cosine: of these pairs' contents; NaN where there is none.
    """

    length: int
    prefixes: int
    mean_items: float
    pairs: int
    mean_cosine: float


def shared_prefixes(codes: ArrayLike, contents: ArrayLike) -> list[SharedPrefix]:
    """Measures how near the contents of items are that share 0, 1, ... L codes.

    Every pair counts, without a loop over pairs: in a group of n unit vectors whose sum is s the
    cosines of all pairs sum to (|s|^2 - n) / 2.

    Args:
        codes: integers (N, L).
        contents: (N, D); contents of length 0 have cosine 0 with all.

    Example:
        >>> near = shared_prefixes([[0, 0], [0, 1], [1, 0]], [[1, 0], [1, 0], [0, 1]])
        >>> [(s.length, s.pairs, round(s.mean_cosine, 2)) for s in near[:2]]
        [(0, 3, 0.33), (1, 1, 1.0)]
    """
    given, vectors = np.asarray(codes), np.asarray(contents, np.float64)
    if given.ndim != 2 or vectors.ndim != 2 or len(given) != len(vectors):
        raise InputError(
            f"expected codes (N, L) and contents (N, D), got {given.shape} and {vectors.shape}"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    order = np.lexsort(given.T[::-1]) if given.shape[1] else np.arange(len(given))
    return [
        _shared(length, given[order, :length], units[order]) for length in range(given.shape[1] + 1)
    ]


def _shared(
    length: int, sorted_prefixes: NDArray[np.int64], units: NDArray[np.float64]
) -> SharedPrefix:
    changes = (sorted_prefixes[1:] != sorted_prefixes[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(units)), bool), changes]))
    counts = np.diff(np.append(starts, len(units)))
    pairs = int((counts * (counts - 1) // 2).sum())
    sums = np.add.reduceat(units, starts, axis=0) if len(starts) else units
    cosines = (np.square(sums).sum() - np.square(units).sum()) / 2
    mean_items = float(np.square(counts).sum() / len(units)) if len(units) else 0.0
    return SharedPrefix(
        length, len(starts), mean_items, pairs, float(cosines / pairs) if pairs else float("nan")
    )
