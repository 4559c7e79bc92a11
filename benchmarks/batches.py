"""Random bags of ids, uniform or Zipf: raw 64-bit ids for us, dense indices for a peer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bags:
    """The same bags twice: `dense` in [0, R) and `ids`, their hashes; `offsets` (B+1,)."""

    ids: NDArray[np.int64]
    dense: NDArray[np.int64]
    offsets: NDArray[np.int64]


def ids_of(dense: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives each dense index a raw id, one to one: splitmix64's finalizer (Steele et al. 2014)."""
    x = dense.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).view(np.int64)


class Draw:
    """Draws dense indices in [0, num_rows): uniform, or Zipf with P(rank k) ~ 1 / k^exponent.

    Ranks are scattered over the rows by a random permutation, so that often drawn rows are
    no neighbours in memory on either side.
    """

    def __init__(self, num_rows: int, exponent: float | None, rng: np.random.Generator) -> None:
        self._num_rows, self._rng = num_rows, rng
        self._row_of_rank: NDArray[np.int32] | None = None
        if exponent is not None:
            self._cdf = np.cumsum(np.arange(1, num_rows + 1, dtype=np.float64) ** -exponent)
            self._row_of_rank = rng.permutation(num_rows).astype(np.int32)

    def __call__(self, count: int) -> NDArray[np.int64]:
        """Gives `count` independent draws."""
        if self._row_of_rank is None:
            return self._rng.integers(0, self._num_rows, count)
        ranks = np.searchsorted(self._cdf, self._rng.random(count) * self._cdf[-1])
        return self._row_of_rank[ranks].astype(np.int64)


def bags(draw: Draw, num_bags: int, bag_size: int, per_call: int, calls: int) -> list[list[Bags]]:
    """Gives `calls` lists of `per_call` batches, all different."""
    offsets = np.arange(0, num_bags * bag_size + 1, bag_size, dtype=np.int64)

    def one() -> Bags:
        dense = draw(num_bags * bag_size)
        return Bags(ids_of(dense), dense, offsets)

    return [[one() for _ in range(per_call)] for _ in range(calls)]
