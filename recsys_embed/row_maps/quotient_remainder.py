"""Quotient-remainder embeddings: two small tables whose rows together tell every id apart."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.hashed import bucket, check_seed
from recsys_embed.row_maps.protocol import Bounded, Combine, RowIds, interleaved


@dataclass(frozen=True)
class QuotientRemainder(Bounded):
    """Gives an id of [0, cardinality) the rows v div c and v mod c; no two ids have both the same.

    An id outside is hashed into the range first. c is the smallest divisor for which
    ceil(cardinality / c) + c rows suffice. Shi et al., arXiv 1909.02107, equation 6.

    Args:
        rows: budget, quotients and remainders together.
        cardinality: how many ids are told apart.
        operation: what is made of the two rows.
        seed: of the hash for ids outside.

    Example:
        >>> QuotientRemainder(rows=20, cardinality=100).map(np.array([0, 99])).rows
        array([[ 0, 10,  9, 19]])
    """

    kind: ClassVar[str] = "quotient_remainder"
    cardinality: int = 1
    operation: Literal["product", "sum"] = "product"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)
        if not 1 <= self.cardinality < 2**63:
            raise ConfigError(
                f"quotient_remainder.cardinality must be in [1, 2^63), got {self.cardinality}"
            )
        least = _needed(self.cardinality, _root(self.cardinality))
        if self.rows < least:
            raise ConfigError(
                f"quotient_remainder needs at least {least} rows for {self.cardinality} ids,"
                f" got {self.rows}"
            )

    @property
    def combine(self) -> Combine:
        """Rows are multiplied or summed."""
        return self.operation

    @cached_property
    def divisor(self) -> int:
        """The smallest c with ceil(cardinality / c) + c <= rows."""
        low, high = 1, _root(self.cardinality)
        while low < high:  # what is needed falls until the root of the cardinality
            middle = (low + high) // 2
            low, high = (
                (low, middle)
                if _needed(self.cardinality, middle) <= self.rows
                else (middle + 1, high)
            )
        return low

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives (v div c, ceil(cardinality / c) + v mod c)."""
        values, divisor = ids.view(np.uint64), np.uint64(self.divisor)
        outside = np.flatnonzero(values >= np.uint64(self.cardinality))
        if len(outside):
            values = values.copy()
            values[outside] = bucket(ids[outside], self.seed, self.cardinality)
        quotients = values // divisor
        first = np.uint64(-(-self.cardinality // self.divisor))
        remainders = first + values - quotients * divisor
        return interleaved(quotients.view(np.int64), remainders.view(np.int64))


def _needed(cardinality: int, divisor: int) -> int:
    return -(-cardinality // divisor) + divisor


def _root(cardinality: int) -> int:
    """Gives the divisor that needs the fewest rows."""
    near = int(np.sqrt(cardinality))
    return min(range(max(1, near - 2), near + 3), key=lambda c: (_needed(cardinality, c), c))
