"""Raw feature values to ids: integers as they are, strings by XXH64 of their UTF-8 bytes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.errors import InputError


def hash_string(value: str) -> int:
    """Gives a string the id it has everywhere: XXH64 of its UTF-8 bytes, seed 0, as int64.

    Raises:
        InputError: for a lone surrogate, which has no UTF-8 bytes.

    Example:
        >>> hash_string("")
        -1205034819632174695
    """
    return int(hash_strings([value])[0])


def hash_strings(
    values: Sequence[str] | NDArray[np.str_] | NDArray[np.object_],
) -> NDArray[np.int64]:
    """Gives each string its id, shape (N,); the same in every process and on every machine.

    Args:
        values: N strings.

    Raises:
        InputError: naming the first value that is not a string or has no UTF-8 bytes.

    Example:
        >>> hash_strings(["a"]).tolist() == [hash_string("a")]
        True
    """
    try:
        encoded = [value.encode() for value in values]
    except (AttributeError, UnicodeEncodeError):
        first = next(v for v in values if not _is_encodable(v))
        raise InputError(f"expected strings of valid Unicode, got {first!r}") from None
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(e) for e in encoded], out=offsets[1:])
    return native.hash_bytes(b"".join(encoded), offsets)


def ids_of(values: ArrayLike) -> NDArray[np.int64]:
    """Turns a feature's raw values, integers or strings, into ids, shape (N,).

    Signed integers keep their value; uint64 keeps its bits.

    Raises:
        InputError: for values that are neither integers nor strings.

    Example:
        >>> ids_of(np.array([3, 2**64 - 1], np.uint64))
        array([ 3, -1])
    """
    array = np.asarray(values)
    if array.dtype == np.uint64:
        return array.view(np.int64)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    if array.dtype.kind in "UO" and array.ndim == 1:
        return hash_strings(array.tolist())
    if array.size == 0:
        return np.zeros(0, np.int64)
    raise InputError(
        f"expected integers or strings, got an array of {array.dtype} with shape {array.shape}"
    )


def mix(ids: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Scrambles ids by the splitmix64 finalizer of (id, seed): a bijection for every seed.

    Example:
        >>> len(set(mix(np.arange(1000)).tolist()))
        1000
    """
    return native.mix(np.ascontiguousarray(ids), seed)


def _is_encodable(value: object) -> bool:
    try:
        value.encode()  # type: ignore[attr-defined]
    except (AttributeError, UnicodeEncodeError):
        return False
    return True
