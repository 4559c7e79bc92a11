"""A new tower's queries brought to an older index: what lies between the two, learned and measured.

Query drift compensation, arXiv 2506.00037 (there the mean alone): while items are embedded anew,
the old ones still answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Kind = Literal["mean", "linear", "procrustes"]


@dataclass(frozen=True, eq=False)
class Bridging:
    """Maps query vectors of one tower version to those of an older one: q M + c. Threads: any.

    Args:
        kind: "mean" only shifts, M = 1; "procrustes" rotates and shifts, M being orthogonal;
            "linear" is any M and c.
        matrix: M, float32 (D new, D old); None for "mean".
        shift: c, float32 (D old,).

    Raises:
        InputError: for an unknown kind, other shapes, or NaN or infinity.

    Example:
        >>> new = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
        >>> fit_bridge(new + 2, new, "mean").apply(new[:1])
        array([[3., 2.]], dtype=float32)
    """

    kind: Kind
    matrix: Floats | None
    shift: Floats

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"no bridge is {self.kind!r}; {near(str(self.kind), get_args(Kind))}")
        shape = None if self.matrix is None else self.matrix.shape
        if (
            (shape is None) != (self.kind == "mean")
            or self.shift.ndim != 1
            or (shape is not None and (len(shape) != 2 or shape[1:] != self.shift.shape))
        ):
            raise InputError(
                f"a {self.kind} bridge has a matrix (D new, D old), unless it is a mean, and a"
                f" shift (D old,); got {shape} and {self.shift.shape}"
            )
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise InputError("a bridge must be finite, got NaN or infinity")

    def apply(self, queries: Floats) -> Floats:
        """Brings queries, float32 (..., D new), to the older version, float32 (..., D old)."""
        turned = queries if self.matrix is None else queries @ self.matrix
        return turned + self.shift

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Spells the bridge, the kind left out; `of` reads it."""
        matrix = {} if self.matrix is None else {"matrix": self.matrix}
        return {**matrix, "shift": self.shift}

    @classmethod
    def of(cls, kind: Kind, arrays: Mapping[str, NDArray[Any]]) -> "Bridging":
        """Reads what `arrays` gave.

        Raises:
            InputError: for missing arrays, other dtypes or shapes.
        """
        came = {name: array.dtype.str for name, array in arrays.items()}
        expected = {"shift": "<f4"} if kind == "mean" else {"matrix": "<f4", "shift": "<f4"}
        if came != expected:
            raise InputError(f"a {kind} bridge is spelled by {expected}, got {came}")
        return cls(kind, arrays.get("matrix"), arrays["shift"])


def fit_bridge(old: Floats, new: Floats, kind: Kind) -> Bridging:
    """Learns the bridge of a kind with the least squared distance from the older vectors.

    Args:
        old: float32 (Q, D old), queries as the older tower embeds them.
        new: float32 (Q, D new), the same queries by the newer tower.
        kind: see `Bridging`; "linear" needs more queries than D new, the others D new = D old.

    Raises:
        InputError: for shapes that do not fit, or too few queries.
    """
    check_pairs(old, new, kind)
    before, after = old.astype(np.float64), new.astype(np.float64)
    if kind == "mean":
        return Bridging(kind, None, (before - after).mean(axis=0).astype(np.float32))
    centered = after - after.mean(axis=0), before - before.mean(axis=0)
    if kind == "linear":
        matrix = np.linalg.lstsq(*centered, rcond=None)[0]
    else:  # orthogonal Procrustes: Schönemann, Psychometrika 1966
        left, _, right = np.linalg.svd(centered[0].T @ centered[1])
        matrix = left @ right
    shift = before.mean(axis=0) - after.mean(axis=0) @ matrix
    return Bridging(kind, matrix.astype(np.float32), shift.astype(np.float32))


def check_pairs(old: Floats, new: Floats, kind: Kind) -> None:
    """Refuses queries from which no bridge of this kind can be learned.

    Raises:
        InputError: as `fit_bridge`.
    """
    if old.ndim != 2 or new.ndim != 2 or len(old) != len(new) or not len(old):
        raise InputError(
            "a bridge is learned from the same queries twice, (Q, D old) and (Q, D new); got"
            f" {old.shape} and {new.shape}"
        )
    if kind != "linear" and old.shape != new.shape:
        raise InputError(
            f"only a linear bridge leads from {new.shape[1]} to {old.shape[1]} dimensions, not a"
            f" {kind} one"
        )
    if kind == "linear" and len(new) <= new.shape[1]:
        raise InputError(
            f"a linear bridge from {new.shape[1]} dimensions needs more queries than these, got"
            f" {len(new)}"
        )
    if not (np.isfinite(old).all() and np.isfinite(new).all()):
        raise InputError("queries must be finite, got NaN or infinity")
