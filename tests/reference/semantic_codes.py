"""Residual quantization and what is made of it in exact arithmetic, one vector at a time."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np


def encode(vector: Sequence[float], codebooks: np.ndarray) -> list[int]:
    """The nearest code level by level, the lowest of equally near ones, in fractions."""
    rest = [Fraction(float(x)) for x in vector]
    codes = []
    for level in codebooks:
        vectors = [[Fraction(float(x)) for x in code] for code in level]
        away = [sum((r - e) ** 2 for r, e in zip(rest, v, strict=True)) for v in vectors]
        codes.append(away.index(min(away)))
        rest = [r - e for r, e in zip(rest, vectors[codes[-1]], strict=True)]
    return codes


def best_total(codes: Sequence[int], scores: dict[tuple[int, tuple[int, ...]], float]) -> float:
    """The highest total score of pieces that make up the codes, by trying all ways to cut them.

    `scores` are by (first level, codes of the piece).
    """
    totals = []
    for count in range(len(codes)):
        for cuts in combinations(range(1, len(codes)), count):
            ends = [*cuts, len(codes)]
            parts = [(a, tuple(codes[a:b])) for a, b in zip([0, *cuts], ends, strict=True)]
            if all(part in scores for part in parts):
                totals.append(sum(scores[part] for part in parts))
    return max(totals)


def prefix_row(codes: Sequence[int], length: int, per_level: int, modulus: int) -> int:
    """(sum_{l <= n} c_l K^{n-l} + offset_n) mod M for n = length, in whole numbers."""
    number = sum(c * per_level ** (length - 1 - i) for i, c in enumerate(codes[:length]))
    return (number + sum(per_level**n for n in range(1, length))) % modulus
