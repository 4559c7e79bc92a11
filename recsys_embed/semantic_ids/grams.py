"""Runs of codes as rows: unigrams, n-grams and prefixes of semantic IDs."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.semantic_ids.nearest import Codes

Tokens = Literal["unigram", "ngram", "prefix", "pieces"]


@dataclass(frozen=True)
class Gram:
    """A run of codes at fixed levels, and the rows it is given.

    The codes c_a, ..., c_{b-1} of levels [start, end) are the number p = sum_l c_l K^{b-1-l}; its
    row is `first` + (`offset` + p) mod `modulus`.
    """

    start: int
    end: int
    first: int
    offset: int
    modulus: int

    def rows(self, codes: Codes, per_level: int) -> NDArray[np.int64]:
        """Gives the rows (N,) of semantic IDs (N, L)."""
        number = np.zeros(len(codes), np.int64)
        for level in range(self.start, self.end):
            number = (number * per_level + codes[:, level]) % self.modulus
        rows: NDArray[np.int64] = self.first + (number + self.offset) % self.modulus
        return rows


def regions(levels: int, per_level: int, rows: int, n: int) -> tuple[Gram, ...]:
    """Lays out n-grams that do not overlap, each with rows of its own; n = 1: unigrams.

    Rows are shared out evenly, but no n-gram gets more than it has values. One with fewer takes
    them modulo the largest number within its rows that shares no factor with K: else, with K^2
    values on K rows, the first code would not matter.

    Singh et al., arXiv 2306.08121, §4.1.

    Raises:
        ConfigError: for fewer rows than n-grams.

    Example:
        >>> [(g.first, g.modulus) for g in regions(levels=3, per_level=4, rows=13, n=2)]
        [(0, 9), (9, 4)]
    """
    spans = [(start, min(start + n, levels)) for start in range(0, levels, n)]
    if rows < len(spans):
        raise ConfigError(
            f"a semantic_id row map of {levels} codes by {n} needs {len(spans)} rows or more,"
            f" got {rows}"
        )
    shares, left = {}, rows
    for number, span in enumerate(sorted(spans, key=lambda s: s[1] - s[0])):
        share = left // (len(spans) - number)
        shares[span] = _modulus(per_level ** (span[1] - span[0]), share, per_level)
        left -= min(per_level ** (span[1] - span[0]), share)
    first, grams = 0, []
    for start, end in spans:
        grams.append(Gram(start, end, first, 0, shares[start, end]))
        first += shares[start, end]
    return tuple(grams)


def prefixes(levels: int, per_level: int, rows: int) -> tuple[Gram, ...]:
    """Lays out the prefixes of 1 to L codes in one table, shorter ones before longer ones.

    Row of c_1 ... c_n: (sum_{l <= n} c_l K^{n-l} + offset_n) mod M, offset_n = K + ... + K^{n-1},
    M as in `regions`: all of them where the rows suffice.

    Zheng et al., arXiv 2504.02137, §3.2 (prefix n-grams).

    Example:
        >>> [g.offset for g in prefixes(levels=3, per_level=4, rows=100)]
        [0, 4, 20]
    """
    counts = [per_level**length for length in range(1, levels + 1)]
    modulus = _modulus(sum(counts), rows, per_level)
    return tuple(
        Gram(0, length + 1, 0, sum(counts[:length]) % modulus, modulus) for length in range(levels)
    )


def _modulus(values: int, rows: int, per_level: int) -> int:
    if values <= rows:
        return values
    return next(m for m in range(rows, 0, -1) if math.gcd(m, per_level) == 1)
