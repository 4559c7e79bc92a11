"""Recall and times of an engine, measured."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.exact import chosen_of, scored
from recsys_embed.index.engines.protocol import Engine, Floats, Mask
from recsys_embed.index.ranking import gathered, rescored
from recsys_embed.index.tuning import Costs

MEASURED_ROWS = 1 << 16  # more than caches hold


class Sample(NamedTuple):
    """What an engine is measured with.

    Attributes:
        queries: float32 (Q, D), Q at least 1.
        vectors: float32 (capacity, D), by slot.
        alive: bool (size,), at least one; the engine is over these slots.
        k: results a query.
    """

    queries: Floats
    vectors: Floats
    alive: Mask
    k: int


class Trial:
    """Queries whose true answers are known, so that recall can be told.

    Args:
        sample: what to measure with.
        mask: bool (size,), slots that may be found; None: all that are alive.
    """

    def __init__(self, sample: Sample, mask: Mask | None = None) -> None:
        self._sample = sample
        self.mask = mask
        among = sample.alive if mask is None else mask
        self.k = min(sample.k, int(np.count_nonzero(among)))
        chosen = None if among.all() else chosen_of(among)
        vectors = sample.vectors[: len(among)]
        self._least = scored(vectors, sample.queries, self.k, chosen, 1).scores[:, -1]

    def recalls(self, engine: Engine, parameters: Parameters, rerank: float) -> Floats:
        """Gives the share of the true best that the engine finds for each query, (Q,).

        What scores as much as the k-th best counts as found, to five digits: sums of products
        differ in their last bits.
        """
        sample = self._sample
        mask = sample.alive if self.mask is None else self.mask
        chosen = None if self.mask is None and mask.all() else engine.chosen(mask)
        wanted = int(np.ceil(self.k * rerank))
        hits = engine.search(sample.queries, wanted, chosen, parameters)
        found = rescored(hits, sample.queries, sample.vectors, self.k).scores
        good = found >= (self._least - 1e-5 * np.abs(self._least))[:, None]
        found_of: Floats = np.count_nonzero(good, axis=1).astype(np.float32)
        return found_of / np.float32(self.k)

    def reaches(
        self, engine: Engine, parameters: Parameters, rerank: float, target: float, errors: float
    ) -> bool:
        """Tells whether the mean recall, and so many standard errors, are the target or more."""
        recalls = self.recalls(engine, parameters, rerank)
        return bool(recalls.mean() + errors * recalls.std() / np.sqrt(len(recalls)) >= target)


class Goal(NamedTuple):
    """A recall that a trial shall reach.

    Attributes:
        trial: what to measure.
        target: the recall.
        errors: standard errors by which it may fall short; below 0, which it must exceed it by.
    """

    trial: Trial
    target: float
    errors: float


def smallest(reaches: Callable[[int], bool], most: int, least: int = 1) -> int:
    """Finds about the smallest number for which `reaches` holds, at most 6 % too large.

    Args:
        reaches: holds for all numbers above one for which it holds.
        most: is given if it holds for none.
        least: is tried first.

    Example:
        >>> smallest(lambda n: n >= 37, most=1000)
        38
    """
    low, high = least - 1, least
    while high < most and not reaches(high):
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def costs_of(engine: Engine, sample: Sample, reruns: int = 7) -> Costs:
    """Measures the times of one query: the least of some reruns, for others compute meanwhile."""
    one, size = sample.queries[:1], len(sample.alive)
    few = np.linspace(0, size - 1, min(size, MEASURED_ROWS)).astype(np.int64)
    part, half = sample.vectors[: len(few)], chosen_of(np.arange(len(few)) % 2 == 0)
    taking = _seconds(lambda: sample.vectors.take(few, axis=0), reruns)
    gathering = _seconds(lambda: gathered(few, sample.vectors, one, sample.k), reruns)
    scanning = _seconds(lambda: scored(part, one, sample.k, half, 1), reruns)
    scoring = max(0.0, gathering - taking)

    def searching(every: int) -> float:
        chosen = engine.chosen(sample.alive & (np.arange(size) % every == 0))
        return _seconds(lambda: engine.search(one, sample.k, chosen, Parameters()), reruns)

    by_row = (taking / len(few), scoring / len(few), scanning / len(few))
    return Costs(*by_row, half=searching(2), tenth=searching(10))


def _seconds(call: Callable[[], object], reruns: int) -> float:
    took = []
    for _ in range(reruns):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return min(took)
