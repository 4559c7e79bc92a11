"""A fixed number of rows that ids share by hashing: one row an id, or several summed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.hashing import hash_string, mix
from recsys_embed.row_maps.protocol import Bounded, RowIds, interleaved, single


@dataclass(frozen=True)
class Hashed(Bounded):
    """Gives every id one of `rows` rows by hashing; ids that meet there share it.

    Among n distinct ids about n * (n - 1) / (2 * rows) pairs do.

    Example:
        >>> bool(Hashed(rows=2).map(np.array([7, 8, 9])).rows.max() < 2)
        True
    """

    kind: ClassVar[str] = "hashed"
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives mix(id, seed) mod rows."""
        return single(bucket(ids, self.seed, self.rows))


@dataclass(frozen=True)
class Bloom(Bounded):
    """Gives every id the sum of `hashes` rows of one table; two ids are one only if all rows are.

    With 2 hashes it is double hashing. Serrà, Karatzoglou, arXiv 1706.03993.

    Example:
        >>> Bloom(rows=100, hashes=3).map(np.array([7, 8])).rows.shape
        (1, 6)
    """

    kind: ClassVar[str] = "bloom"
    hashes: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)
        check_lookups(self.kind, "hashes", self.hashes)

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives mix(id, salt of h) mod rows for each hash h."""
        salts = [salt(self.kind, h, self.seed) for h in range(self.hashes)]
        return interleaved(*(bucket(ids, s, self.rows) for s in salts))


def bucket(ids: NDArray[np.int64], seed: int, rows: int) -> NDArray[np.int64]:
    """Gives mix(id, seed) mod rows, the mixed id taken as unsigned."""
    mixed = mix(ids, seed).view(np.uint64)
    return (mixed % np.uint64(rows)).view(np.int64)


def salt(name: str, chunk: int, seed: int) -> int:
    """Gives a seed of `mix` for each (name, chunk, seed), unlike all the others."""
    return hash_string(f"{name}|{chunk}|{seed}") & (2**63 - 1)


def check_seed(kind: str, seed: int) -> None:
    """Refuses a seed outside [0, 2^63).

    Raises:
        ConfigError: naming it.
    """
    if not 0 <= seed < 2**63:
        raise ConfigError(f"{kind}.seed must be in [0, 2^63), got {seed}")


def check_lookups(kind: str, name: str, number: int) -> None:
    """Refuses a number of lookups that is not in [1, 64].

    Raises:
        ConfigError: naming it.
    """
    if not 1 <= number <= 64:
        raise ConfigError(f"{kind}.{name} must be in [1, 64], got {number}")
