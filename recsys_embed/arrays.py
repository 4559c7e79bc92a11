"""What a call accepts: arrays of one dtype and shape; else one sentence says what came."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.optimizers import FTRL, Optimizer


def as_array(values: Any) -> NDArray[Any]:
    """Views numpy arrays and CPU tensors without a copy; makes an array of anything else."""
    if isinstance(values, np.ndarray):
        return values
    detach = getattr(values, "detach", None)
    if detach is not None:
        if values.device.type != "cpu":
            raise InputError(
                f"expected a CPU tensor, got one on {values.device}; call .cpu() first"
            )
        try:
            return detach().numpy()  # type: ignore[no-any-return]
        except TypeError:
            raise InputError(f"expected a dtype that numpy has, got {values.dtype}") from None
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"expected an array, got a ragged {type(values).__name__}") from None


def as_ids(values: ArrayLike) -> NDArray[np.int64]:
    """Views N ids as a contiguous int64 array of shape (N,); uint64 keeps its bits.

    Raises:
        InputError: for another dtype, shape or stride.
    """
    array = as_array(values)
    if array.dtype == np.uint64:
        array = array.view(np.int64)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.dtype != np.int64 or array.ndim != 1:
        hint = "; strings become ids by recsys_embed.ids_of" if array.dtype.kind in "UOS" else ""
        raise InputError(f"ids must be int64 of shape (N,), got {_described(array)}{hint}")
    return _contiguous(array, "ids")


def as_offsets(values: ArrayLike, num_ids: int, num_features: int = 1) -> NDArray[np.int64]:
    """Views the offsets of feature-major bags, shape (F * B + 1,), checked against the ids.

    Raises:
        InputError: for another dtype or shape, or offsets that decrease or overrun.
    """
    if num_features < 1:
        raise InputError(f"the number of features must be at least 1, got {num_features}")
    array = as_array(values)
    if array.dtype != np.int64 or array.ndim != 1 or len(array) < 1:
        raise InputError(f"offsets must be int64 of shape (bags + 1,), got {_described(array)}")
    if (len(array) - 1) % num_features:
        raise InputError(
            f"offsets of {num_features} features must hold a multiple of {num_features} bags,"
            f" got {len(array) - 1}"
        )
    if array[0] != 0 or array[-1] != num_ids:
        raise InputError(
            f"offsets must begin at 0 and end at {num_ids}, the number of ids;"
            f" got {array[0]} and {array[-1]}"
        )
    if (array[1:] < array[:-1]).any():
        at = int(np.argmax(array[1:] < array[:-1]))
        raise InputError(
            f"offsets must not decrease, got {array[at]} before {array[at + 1]} at {at}"
        )
    return _contiguous(array, "offsets")


def as_feature_offsets(
    values: ArrayLike | None, num_ids: int, num_features: int
) -> NDArray[np.int64]:
    """Views where the ids of each feature begin, shape (F + 1,); None: all are of one feature.

    Raises:
        InputError: for another dtype or shape, or offsets that decrease or overrun.
    """
    given = np.array([0, num_ids]) if values is None else values
    offsets = as_offsets(given, num_ids, num_features)
    if len(offsets) != num_features + 1:
        raise InputError(
            f"feature_offsets of {num_features} features must have shape ({num_features + 1},),"
            f" got {offsets.shape}"
        )
    return offsets


def as_weights(values: ArrayLike | None, num_ids: int) -> NDArray[np.float32] | None:
    """Views one float32 weight an id, shape (N,).

    Raises:
        InputError: for another dtype, shape or stride.
    """
    if values is None:
        return None
    array = as_array(values)
    if array.dtype != np.float32 or array.shape != (num_ids,):
        raise InputError(f"weights must be float32 of shape ({num_ids},), got {_described(array)}")
    if not np.isfinite(array).all():
        raise InputError("weights must be finite, got NaN or infinity")
    return _contiguous(array, "weights")


def as_vector(values: ArrayLike, dim: int) -> NDArray[np.float32]:
    """Views a finite float32 vector of shape (dim,).

    Raises:
        InputError: for another dtype, shape or stride, NaN or infinity.
    """
    array = as_array(values)
    if array.dtype != np.float32 or array.shape != (dim,):
        raise InputError(
            f"a vector for missing ids must be float32 of shape ({dim},), got {_described(array)}"
        )
    if not np.isfinite(array).all():
        raise InputError("a vector for missing ids must be finite, got NaN or infinity")
    return _contiguous(array, "the vector for missing ids")


def as_matrix(values: ArrayLike, rows: int, columns: int, name: str) -> NDArray[np.float32]:
    """Views a float32 matrix of the given shape whose rows are contiguous.

    Raises:
        InputError: for another dtype, shape or stride.
    """
    array = as_array(values)
    if array.dtype != np.float32 or array.shape != (rows, columns):
        raise InputError(
            f"{name} must be float32 of shape ({rows}, {columns}), got {_described(array)}"
        )
    if (
        columns > 1
        and rows > 0
        and array.strides[1] != 4
        or array.strides[0] % 4
        or array.strides[0] < 0
    ):
        raise InputError(
            f"each row of {name} must be contiguous, got strides {array.strides}; copy it first"
        )
    return array


def as_output(out: Any, rows: int, columns: int) -> NDArray[np.float32]:
    """Gives the caller's `out`, checked, or a new matrix."""
    if out is None:
        return np.empty((rows, columns), np.float32)
    array = as_matrix(out, rows, columns, "out")
    if not array.flags.writeable:
        raise InputError("out must be writeable, got a read-only array")
    return array


def as_rates(lr: float | Sequence[float], optimizers: Sequence[Optimizer]) -> list[float]:
    """Gives one learning rate a segment: finite, not negative, and above 0 for FTRL.

    Raises:
        InputError: for anything else, or another number of rates.
    """
    try:
        rates = np.asarray(lr, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"lr must be a number or one a segment, got {lr!r}") from None
    if rates.ndim > 1 or rates.ndim == 1 and len(rates) != len(optimizers):
        raise InputError(f"lr must be one number or {len(optimizers)}, one a segment; got {lr!r}")
    rates = np.broadcast_to(rates, len(optimizers))
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise InputError(f"lr must be finite and not negative, got {lr}")
    if any(isinstance(o, FTRL) and r == 0 for o, r in zip(optimizers, rates, strict=True)):
        raise InputError("lr must be above 0 for FTRL, whose update divides by it; got 0")
    return [float(rate) for rate in rates]


def _contiguous(array: NDArray[Any], name: str) -> NDArray[Any]:
    if not array.flags.c_contiguous:
        raise InputError(
            f"{name} must be contiguous, got a stride of {array.strides[0]} bytes; copy it first"
        )
    return array


def _described(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
