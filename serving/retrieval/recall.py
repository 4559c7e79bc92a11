"""How much of what exact search finds is found: an estimate that follows what is asked."""

import threading
from typing import NamedTuple

import numpy as np

from serving.retrieval.asked import Ids

MEMORY = 1000  # queries over which the estimate forgets: a drift shows within as many


class Estimate(NamedTuple):
    """A share in [0, 1], None before anything was measured, and the queries behind it."""

    recall: float | None
    queries: int


class Recall:
    """A running mean over about the last thousand measured queries; any thread may add and ask.

    Example:
        >>> recall = Recall()
        >>> recall.add(np.array([1, 2]), np.array([2, 3]))
        >>> recall.estimate
        Estimate(recall=0.5, queries=1)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mean, self._count = 0.0, 0

    def add(self, found: Ids, true: Ids) -> None:
        """Takes in what was found of what exact search found for one query, if it found any."""
        if len(true):
            share = float(np.isin(true, found).mean())
            with self._lock:
                self._count += 1
                self._mean += (share - self._mean) / min(self._count, MEMORY)

    def forget(self) -> None:
        """Begins anew, for searches that have been tuned anew."""
        with self._lock:
            self._mean, self._count = 0.0, 0

    @property
    def estimate(self) -> Estimate:
        """What is known."""
        with self._lock:
            return Estimate(self._mean if self._count else None, self._count)
