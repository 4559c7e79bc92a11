"""How a delta spells weights: as they are, in half precision, or in a byte with a scale per row."""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Codec = Literal["fp32", "fp16", "int8"]
CODECS: dict[str, np.dtype[Any]] = {
    "fp32": np.dtype("<f4"),
    "fp16": np.dtype("<f2"),
    "int8": np.dtype("<i1"),
}
LEVELS = 127  # of int8, on either side of zero
FP16_END = 65520  # from here on fp16 rounds to infinity
ROWS_AT_ONCE = 4096  # so that temporaries stay in the cache


def _largest_scale() -> np.float32:
    scale = np.float32(np.finfo(np.float32).max / LEVELS)
    with np.errstate(over="ignore"):
        return scale if np.isfinite(scale * LEVELS) else np.nextafter(scale, np.float32(0))


LARGEST_SCALE = _largest_scale()


class Coded(NamedTuple):
    """Weights (n, D) in a codec's dtype, and int8's scales (n,)."""

    values: NDArray[Any]
    scales: NDArray[np.float32] | None


def encode_weights(codec: str, weights: NDArray[np.float32], ids: NDArray[np.int64]) -> Coded:
    """Spells weights (n, D) by a codec.

    What `decode_weights` gives back differs from a weight w by nothing (fp32), by at most
    |w| / 2^11 + 2^-25 (fp16), or by at most half the row's scale, the largest |w| / 127 (int8).

    Raises:
        InputError: for a weight that fp16 (beyond 65504) or int8 (not finite) cannot hold.

    Example:
        >>> coded = encode_weights("int8", np.float32([[254, -127, 1.5]]), np.array([7]))
        >>> coded.values, coded.scales
        (array([[127, -64,   1]], dtype=int8), array([2.], dtype=float32))
    """
    if codec == "fp32":
        return Coded(np.ascontiguousarray(weights, "<f4"), None)
    values = np.empty(weights.shape, CODECS[codec])
    scales = np.empty(len(weights), "<f4")
    for start in range(0, len(weights), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        fill = _fill_fp16 if codec == "fp16" else _fill_int8
        unfit = fill(weights[part], values[part], scales[part])
        if len(unfit):
            raise InputError(
                f"{codec} cannot hold the weights of id {ids[start + unfit[0]]}, whose largest is"
                f" {np.abs(weights[start + unfit[0]]).max()}; use fp32"
            )
    return Coded(values, scales if codec == "int8" else None)


def decode_weights(coded: Coded) -> NDArray[np.float32]:
    """Gives float32 weights (n, D) back; fp32 without a copy.

    Example:
        >>> decode_weights(Coded(np.int8([[127, -64]]), np.float32([2])))
        array([[ 254., -128.]], dtype=float32)
    """
    if coded.scales is None:
        return coded.values.astype(np.float32, copy=False)
    return coded.values * coded.scales[:, None]


def _fill_fp16(
    weights: NDArray[np.float32], values: NDArray[Any], scales: NDArray[np.float32]
) -> NDArray[np.intp]:
    with np.errstate(over="ignore"):
        values[:] = weights
    return np.flatnonzero(~(np.abs(weights).max(axis=1, initial=0) < FP16_END))  # NaN as well


def _fill_int8(
    weights: NDArray[np.float32], values: NDArray[Any], scales: NDArray[np.float32]
) -> NDArray[np.intp]:
    largest = np.abs(weights).max(axis=1, initial=0)
    unfit = np.flatnonzero(~np.isfinite(largest))
    if len(unfit):
        return unfit
    np.minimum(largest / np.float32(LEVELS), LARGEST_SCALE, out=scales)
    steps = np.rint(weights / np.where(scales == 0, np.float32(1), scales)[:, None])
    values[:] = np.clip(steps, -LEVELS, LEVELS)  # a scale of few bits may be too small for its row
    return unfit
