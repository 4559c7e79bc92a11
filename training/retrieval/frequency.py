"""How often items come, estimated while they come, in memory that does not grow with them."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.hashing import mix


class StreamingFrequency:
    """Estimates each id's share of a stream by the distance between its occurrences.

    In each of several arrays of buckets, with an id's bucket h:

        B[h] <- (1 - a) B[h] + a (t - A[h]);  A[h] <- t;  share = 1 / max over arrays of B[h]

    Yi et al., RecSys 2019, algorithms 2 and 3. Two things differ. Time t counts occurrences, not
    batches, so that ids that come several times in every batch keep their shares; those of one
    batch count as evenly spaced. And `a` of a bucket's n-th occurrence is at least 1 / n, so that
    estimates begin as plain means, not near B = 0 (the paper's own remark on its bias).

    Ids that share a bucket look like one that comes more often; the maximum takes the array where
    an id is most alone. The share of an id that never came is at most 1 / (occurrences + 1).

    One writer; `shares` may run beside it and sees some ids of a batch before others.

    Args:
        buckets: of each array.
        arrays: how many, each with a hash of its own.
        rate: a; an estimate looks back over about 1 / a occurrences of the id.
        seed: of the hashes.

    Raises:
        ConfigError: for less than one bucket or array, or a rate outside (0, 1].

    Example:
        >>> frequency = StreamingFrequency(buckets=100)
        >>> for _ in range(50):
        ...     frequency.update(np.array([5, 6, 5, 7]))
        >>> frequency.shares(np.array([5, 6, 8])).round(3).tolist()
        [0.503, 0.253, 0.005]
    """

    def __init__(
        self, buckets: int = 1 << 20, arrays: int = 2, rate: float = 0.01, seed: int = 0
    ) -> None:
        if buckets < 1 or arrays < 1 or not 0 < rate <= 1:
            raise ConfigError(
                "a streaming frequency needs buckets >= 1, arrays >= 1 and a rate in (0, 1], got"
                f" {buckets}, {arrays} and {rate}"
            )
        self.rate, self.seed, self.occurrences = rate, seed, 0
        self._last = np.zeros((arrays, buckets))
        self._distance = np.zeros((arrays, buckets))
        self._counts = np.zeros((arrays, buckets), np.int64)

    def update(self, ids: NDArray[np.int64]) -> None:
        """Takes a batch's ids (n,) in, in their order."""
        for k, buckets in enumerate(self._buckets(ids)):
            found, from_end, counts = np.unique(
                buckets[::-1], return_index=True, return_counts=True
            )
            now = self.occurrences + len(ids) - from_end.astype(np.float64)
            self._counts[k, found] += counts
            step = np.maximum(1 - (1 - self.rate) ** counts, counts / self._counts[k, found])
            gone = (now - self._last[k, found]) / counts
            self._distance[k, found] += step * (gone - self._distance[k, found])
            self._last[k, found] = now
        self.occurrences += len(ids)

    def shares(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Gives the shares of the stream, (n,), in (0, 1]."""
        each = np.stack(
            [
                np.where(self._counts[k, b] > 0, self._distance[k, b], self.occurrences + 1)
                for k, b in enumerate(self._buckets(ids))
            ]
        )
        shares: NDArray[np.float64] = 1 / np.maximum(each.max(axis=0), 1.0)
        return shares

    def log_q(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Gives the logs of the shares, (n,), as losses take them."""
        return np.log(self.shares(ids)).astype(np.float32)

    def _buckets(self, ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        arrays, size = self._last.shape
        hashed = (mix(ids, self.seed + k).view(np.uint64) for k in range(arrays))
        return [(h % np.uint64(size)).astype(np.int64) for h in hashed]
