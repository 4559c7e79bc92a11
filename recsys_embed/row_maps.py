"""How an id becomes its row: collisionless (a row of its own) or hashed (one of a fixed number)."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.hashing import mix


class RowMap(Protocol):
    """Maps ids (N,) int64 to row ids (N,) int64, the same in every process, for every id."""

    def map(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gives each id the id under which its row is held."""
        ...


@dataclass(frozen=True)
class Collisionless:
    """Gives every id a row of its own.

    Example:
        >>> Collisionless().map(np.array([7, -1]))
        array([ 7, -1])
    """

    kind: ClassVar[str] = "collisionless"

    def map(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the ids as they are, without a copy."""
        return ids


@dataclass(frozen=True)
class Hashed:
    """Gives every id one of `rows` rows by hashing; ids that meet there share it.

    Among n distinct ids about n * (n - 1) / (2 * rows) pairs do.

    Example:
        >>> bool(Hashed(rows=2).map(np.array([7, 8, 9])).max() < 2)
        True
    """

    kind: ClassVar[str] = "hashed"
    rows: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= 2**32:
            raise ConfigError(f"Hashed.rows must be in [1, 2^32], got {self.rows}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"Hashed.seed must be in [0, 2^63), got {self.seed}")

    def map(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns mix(id, seed) mod rows."""
        mixed = mix(ids, self.seed).view(np.uint64)
        return (mixed % np.uint64(self.rows)).view(np.int64)


RowMapConfig = Collisionless | Hashed
