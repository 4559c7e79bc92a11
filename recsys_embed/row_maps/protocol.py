"""What every row map promises: any id becomes rows, the same in every process, forever."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError

Combine = Literal["sum", "product", "weighted"]
MAX_ROWS = 2**32


class RowIds(NamedTuple):
    """The rows of N ids in each of C chunks.

    Args:
        rows: int64 (C, M): the rows of the first id, then those of the second, and so on.
        per_id: how many each id has: one number k (M = N * k), or int64 (N,) that sum to M.
    """

    rows: NDArray[np.int64]
    per_id: int | NDArray[np.int64]


class RowMap(Protocol):
    """Maps every int64, seen before or not, to rows of a table; a pure function of its fields.

    An id's vector is C chunks side by side; a chunk is made of the id's rows there as `combine`
    says: their "sum", their elementwise "product", or a "weighted" sum with weights that train.
    """

    @property
    def kind(self) -> str:
        """Names the class in configs."""
        ...

    @property
    def combine(self) -> Combine:
        """Says how an id's rows in a chunk become one vector."""
        ...

    @property
    def num_rows(self) -> int | None:
        """How many rows there can ever be, all of them in [0, num_rows); None: one an id."""
        ...

    def chunks(self, feature: str) -> int:
        """Gives C, the vectors that lie side by side for an id of this feature."""
        ...

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the rows of N ids, (C, M)."""
        ...


@dataclass(frozen=True)
class Bounded:
    """A row map of one chunk with a fixed number of rows."""

    kind: ClassVar[str]
    rows: int

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= MAX_ROWS:
            raise ConfigError(f"{self.kind}.rows must be in [1, 2^32], got {self.rows}")

    @property
    def combine(self) -> Combine:
        """Rows are summed."""
        return "sum"

    @property
    def num_rows(self) -> int:
        """All rows there can be."""
        return self.rows

    def chunks(self, feature: str) -> int:
        """Gives 1."""
        return 1


def single(rows: NDArray[np.int64]) -> RowIds:
    """Gives each of N ids one row in one chunk."""
    return RowIds(rows[None, :], 1)


def interleaved(*rows: NDArray[np.int64]) -> RowIds:
    """Gives each of N ids one row of each array (N,), in one chunk."""
    return RowIds(np.stack(rows, axis=1).reshape(1, -1), len(rows))
