"""Arguments of a table's calls: policies, features and times, checked before anything changes."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from recsys_embed.arrays import as_vector
from recsys_embed.config import near
from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig

Missing = Literal["initial", "zeros", "error"] | NDArray[np.float32]
Mode = Literal["sum", "mean"]
INITIAL, VECTOR, ERROR = 0, 1, 2
MAX_TIME_S = 2**32 - 1


def missing_policy(
    missing: Missing, dim: int, *, training: bool = False
) -> tuple[int, NDArray[np.float32] | None]:
    """Gives the native number of a policy, with its vector if it has one.

    Raises:
        InputError: for an unknown policy, "error" in training, or a vector that is not (dim,).
    """
    if not isinstance(missing, str):
        if missing is None:
            raise InputError("missing must be a policy or a vector, got None")
        return VECTOR, as_vector(missing, dim)
    if missing == "initial":
        return INITIAL, None
    if missing == "zeros":
        return VECTOR, np.zeros(dim, np.float32)
    if missing == "error" and not training:
        return ERROR, None
    known = ["initial", "zeros"] if training else ["initial", "zeros", "error"]
    raise InputError(f"missing cannot be {missing!r}; {near(missing, known)}, or a vector")


def feature_number(config: TableConfig, numbers: Mapping[str, int], feature: int | str) -> int:
    """Gives a feature's place among those of its table.

    Raises:
        InputError: for a name or number that the table does not have.
    """
    if isinstance(feature, str):
        if feature not in numbers:
            hint = near(feature, list(numbers))
            raise InputError(f"table {config.name!r} has no feature {feature!r}; {hint}")
        return numbers[feature]
    if not isinstance(feature, int | np.integer) or not 0 <= feature < len(numbers):
        raise InputError(f"feature must be in [0, {len(numbers)}) or a name, got {feature!r}")
    return int(feature)


def is_several(feature: int | str | Sequence[int | str]) -> TypeGuard[Sequence[int | str]]:
    """Tells several features from one."""
    return not isinstance(feature, str) and isinstance(feature, Sequence)


def checked_time(time: int) -> int:
    """Gives the time back.

    Raises:
        InputError: unless it is whole seconds in [0, 2^32).
    """
    is_whole = isinstance(time, int | np.integer) and not isinstance(time, bool)
    if not is_whole or not 0 <= time <= MAX_TIME_S:
        raise InputError(f"time must be whole seconds in [0, 2^32), got {time!r}")
    return int(time)


def not_negative(name: str, value: int) -> int:
    """Gives the value back.

    Raises:
        InputError: if it is below 0.
    """
    if value < 0:
        raise InputError(f"{name} must not be negative, got {value}")
    return value


def is_mean(mode: str) -> bool:
    """Tells "mean" from "sum".

    Raises:
        InputError: for anything else.
    """
    if mode not in ("sum", "mean"):
        raise InputError(f"mode must be sum or mean, got {mode!r}")
    return mode == "mean"


def not_finite(grads: NDArray[np.float32]) -> InputError:
    """Makes the error for gradients that hold NaN or infinity, naming the first row."""
    row = int(np.argmin(np.isfinite(grads).all(axis=1)))
    return InputError(
        f"grads must be finite, got NaN or infinity in row {row}; nothing was changed"
    )
