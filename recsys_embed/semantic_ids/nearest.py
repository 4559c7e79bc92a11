"""Residual quantization by exact nearest codes: float32 by BLAS, near ties settled in float64."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

BLOCK = 512  # vectors at a time: their scores against a few hundred codes stay in the L2 cache
PAIRS = 1 << 14
ROUNDING = 2.0**-24


class NearestCodes:
    """Finds c_l = argmin_k |r_l - e^l_k|^2, r_1 = x, r_{l+1} = r_l - e^l_{c_l}, in real numbers.

    The result depends on neither batch size, threads nor BLAS: codes whose float32 scores lie
    closer than these can err are compared again in float64; of equally near ones the lowest wins.

    Args:
        codebooks: float32 (L, K, D).

    Example:
        >>> codebooks = np.array([[[0, 0], [4, 4]], [[0, 0], [0, 1]]], np.float32)
        >>> NearestCodes(codebooks).encode(np.array([[4, 5], [1, 0]], np.float32))
        array([[1, 1],
               [0, 0]], dtype=int32)
    """

    def __init__(self, codebooks: Floats) -> None:
        self._codebooks = codebooks
        self._columns = [np.ascontiguousarray(level.T) for level in codebooks]
        squares = np.einsum("lkd,lkd->lk", codebooks, codebooks, dtype=np.float64)
        self._halves = (squares / 2).astype(np.float32)
        self._longest = np.sqrt(squares.max(axis=1)).astype(np.float32)

    def encode(self, vectors: Floats) -> Codes:
        """Gives the codes of N vectors, int32 (N, L).

        Args:
            vectors: float32 (N, D).

        Raises:
            InputError: naming the first vector that is not finite or too long for float32.
        """
        levels, codes, _ = self._codebooks.shape
        chosen = np.empty((len(vectors), levels), np.int32)
        scores = np.empty((min(BLOCK, len(vectors)), codes), np.float32)
        for start in range(0, len(vectors), BLOCK):
            block = vectors[start : start + BLOCK]
            self._encode(block, scores[: len(block)], chosen[start : start + BLOCK], start)
        return chosen

    def _encode(self, vectors: Floats, scores: Floats, chosen: Codes, start: int) -> None:
        reach = _lengths(vectors)
        _refuse_endless(reach, start)
        rest = vectors
        for level, columns in enumerate(self._columns):
            np.matmul(rest, columns, out=scores)
            scores -= self._halves[level]
            least = scores.max(axis=1) - self._error(level, reach)
            near = np.flatnonzero(scores >= least[:, None])
            chosen[:, level] = self._settle(near, vectors, chosen[:, :level])
            if level + 1 < len(self._columns):
                rest = rest - self._codebooks[level][chosen[:, level]]
                reach = np.maximum(reach, _lengths(rest))

    def _error(self, level: int, reach: Floats) -> Floats:
        # A dot product of D terms errs by at most D roundings of |r| |e|; each residual adds one,
        # and so does each of the few other steps. Two scores are compared.
        levels, _, width = self._codebooks.shape
        longest = self._longest[level]
        error: Floats = 2 * ROUNDING * (width + 8 * levels) * longest * (reach + longest)
        return error

    def _settle(self, near: NDArray[np.intp], vectors: Floats, before: Codes) -> NDArray[np.intp]:
        """Gives each vector its nearest code of those near, flat positions in (N, K)."""
        codes = self._codebooks.shape[1]
        if len(near) == len(vectors):
            return np.remainder(near, codes)
        rows = near // codes
        counts = np.bincount(rows, minlength=len(vectors))
        close = near[counts[rows] > 1]
        nearest = np.empty(len(vectors), np.intp)
        single = near[counts[rows] == 1]
        nearest[single // codes] = single % codes
        pairs = close // codes, close % codes
        distances = self._distances(vectors, before, *pairs)
        order = np.lexsort((pairs[1], distances, pairs[0]))
        found, first = np.unique(pairs[0][order], return_index=True)
        nearest[found] = pairs[1][order][first]
        return nearest

    def _distances(
        self, vectors: Floats, before: Codes, rows: NDArray[np.intp], codes: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        parts = [np.zeros(0)]
        for start in range(0, len(rows), PAIRS):
            some = rows[start : start + PAIRS]
            rest = vectors[some].astype(np.float64)
            for level in range(before.shape[1]):
                rest -= self._codebooks[level][before[some, level]]
            rest -= self._codebooks[before.shape[1]][codes[start : start + PAIRS]]
            parts.append(np.square(rest).sum(axis=1))
        return np.concatenate(parts)


def _lengths(vectors: Floats) -> Floats:
    with np.errstate(over="ignore"):
        lengths: Floats = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return lengths


def _refuse_endless(lengths: Floats, start: int) -> None:
    finite = np.isfinite(lengths)
    if not finite.all():
        first = start + int(np.argmin(finite))
        raise InputError(
            f"expected finite content vectors shorter than 1e19, got {np.count_nonzero(~finite)}"
            f" that are not among vectors {start} to {start + len(lengths) - 1}; the first is"
            f" vector {first}"
        )
