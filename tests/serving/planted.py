"""What the served snapshot holds, known from its making."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable

LEAST, GREATEST = -(2**63), 2**63 - 1
# XXH64 with seed 0, from the reference implementation (xxhsum -H64): "85123A" and the empty string
HASH_OF_85123A = 553642613844011859
HASH_OF_EMPTY = -1205034819632174695
ITEM_IDS = [LEAST, GREATEST, -1, 0, 1, 2**53 + 1, HASH_OF_EMPTY, HASH_OF_85123A, *range(1000, 1192)]
USER_IDS = [7, 8, 9]
ABSENT = 5_000_000
MAX_IDS = 256
MAX_BODY_BYTES = 1 << 14


class Planted(NamedTuple):
    """A folder of snapshots, the one in it, the tables it was made from and their rows by id."""

    root: Path
    path: Path
    tables: dict[str, CollisionlessTable]
    rows: dict[str, dict[int, NDArray[np.float32]]]

    def values(self, table: str, ids: list[int]) -> NDArray[np.float32]:
        return np.stack([self.rows[table][one] for one in ids])


def vectors_of(count: int, dim: int) -> NDArray[np.float32]:
    """Vectors over the whole range of float32: tiny, huge, negative zero."""
    rng = np.random.default_rng(11)
    exponents = rng.integers(-140, 120, (count, dim))
    values = np.ldexp(rng.standard_normal((count, dim)), exponents).astype(np.float32)
    values[0, :3] = -0.0, np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    return values
