"""Residual quantization by exact nearest codes."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

TOO_LONG = 1e18


class NearestCodes:
    """Finds c_l = argmin_k |r_l - e^l_k|^2, r_1 = x, r_{l+1} = r_l - e^l_{c_l}, in real numbers.

    The result depends on neither batch size, threads nor processor: codes whose float32 scores lie
    closer than these can err are compared again in float64; of equally near ones the lowest wins.

    Args:
        codebooks: float32 (L, K, D), finite and shorter than 1e18.

    Example:
        >>> codebooks = np.array([[[0, 0], [4, 4]], [[0, 0], [0, 1]]], np.float32)
        >>> NearestCodes(codebooks).encode(np.array([[4, 5], [1, 0]], np.float32))
        array([[1, 1],
               [0, 0]], dtype=int32)
    """

    def __init__(self, codebooks: Floats) -> None:
        self._levels = len(codebooks)
        self._native = native.NearestCodes(np.ascontiguousarray(codebooks))

    def encode(self, vectors: Floats) -> Codes:
        """Gives the codes of N vectors, int32 (N, L).

        Args:
            vectors: float32 (N, D).

        Raises:
            InputError: naming the first vector that is not finite or too long for float32.
        """
        codes = np.empty((len(vectors), self._levels), np.int32)
        self._native.encode(np.ascontiguousarray(vectors), codes)
        endless = codes[:, 0] < 0
        if endless.any():
            raise InputError(
                f"expected finite content vectors shorter than {TOO_LONG:g}, got"
                f" {np.count_nonzero(endless)} of {len(vectors)} that are not; the first is vector"
                f" {int(np.argmax(endless))}"
            )
        return codes
