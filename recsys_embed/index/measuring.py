"""Recall and times of an engine, measured; parameters chosen by them."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.exact import scored
from recsys_embed.index.engines.protocol import Bits, Engine, Floats, Hits
from recsys_embed.index.ranking import gathered, rescored
from recsys_embed.index.tuning import Costs, Tuning

MOST_QUERIES = 256
SHARES = (0.5, 0.1)  # of items that measured filters admit; with fewer, gathering is faster
FILTER_RECALL = 0.995


class Probe(NamedTuple):
    """What recall is measured with.

    Attributes:
        queries: float32 (Q, D).
        vectors: float32 (capacity, D), by slot.
        bits: of the slots that may be found; None: all.
        least: float32 (Q,), the k-th best score of each query: what scores as much is as good.
        k: results a query.
    """

    queries: Floats
    vectors: Floats
    bits: Bits | None
    least: Floats
    k: int

    @classmethod
    def of(
        cls, queries: Floats, vectors: Floats, size: int, bits: Bits | None, count: int, k: int
    ) -> "Probe":
        """Scores everything; `count` slots of the first `size` may be found."""
        k = min(k, count)
        truth = scored(vectors[:size], queries, k, bits, 1)
        return cls(queries, vectors, bits, truth.scores[:, -1], k)

    def recalls(self, engine: Engine, parameters: Parameters, rerank: float) -> Floats:
        """Gives the share of the true best that the engine finds for each query."""
        found = self.search(engine, parameters, rerank, self.queries)
        slack = 1e-5 * np.abs(self.least)  # sums of products differ in their last bits
        good = found.scores >= (self.least - slack)[:, None]
        return good.mean(axis=1, dtype=np.float32)  # type: ignore[no-any-return] # numpy's stub

    def search(
        self, engine: Engine, parameters: Parameters, rerank: float, queries: Floats
    ) -> Hits:
        """Searches as an index does."""
        hits = engine.search(queries, int(np.ceil(self.k * rerank)), self.bits, parameters)
        return rescored(hits, queries, self.vectors, self.k)


def smallest(reaches: Callable[[int], bool], first: int, most: int) -> int:
    """Finds about the smallest number for which `reaches` holds, at most 6 % too large.

    Example:
        >>> smallest(lambda n: n >= 37, first=1, most=1000)
        38
    """
    low, high = 0, min(first, most)
    while high < most and not reaches(high):
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def tuned(
    engine: Engine, queries: Floats, on: str, size: int, vectors: Floats, config: IndexConfig
) -> tuple[Engine, Tuning]:
    """Chooses an engine's parameters: the fastest that reach the target on these queries.

    The mean recall less its standard error must reach it, so that other queries like these do too.

    Args:
        engine: over slots [0, size), all of them alive.
        queries: float32 (Q, D); the first `MOST_QUERIES` are used.
        on: what they are: queries or items.
        size: number of slots.
        vectors: float32 (capacity, D), by slot.
        config: of the index.
    """
    queries, rerank = queries[:MOST_QUERIES], rerank_of(config)
    if engine.is_exact or not len(queries) or not size:
        costs = _costs(engine, Parameters(), queries, vectors, size, config.target_k)
        return engine, Tuning(1.0, on, 1.0, 0.0, costs, size)
    probe = Probe.of(queries, vectors, size, None, size, config.target_k)
    steps = _steps(engine, probe, rerank, config.target_recall)
    chosen = engine.tuned(engine.with_steps(steps))
    widening = _widening(chosen, steps, queries, vectors, size, rerank, config)
    recall = float(probe.recalls(chosen, Parameters(), rerank).mean())
    costs = _costs(chosen, chosen.parameters, queries, vectors, size, config.target_k)
    return chosen, Tuning(recall, on, rerank, widening, costs, size)


def rerank_of(config: IndexConfig) -> float:
    """Gives how many candidates a result are scored again, by what the engine's copy leaves out."""
    if config.rerank is not None:
        return config.rerank
    if config.projected_dim is not None:
        return 3.0
    return 1.5 if config.codec == "int8" else 1.0


def _steps(engine: Engine, probe: Probe, rerank: float, target: float) -> int:
    def reaches(steps: int) -> bool:
        recalls = probe.recalls(engine, engine.with_steps(steps), rerank)
        return bool(recalls.mean() - recalls.std() / np.sqrt(len(recalls)) >= target)

    return smallest(reaches, 1, engine.most_steps)


def _widening(
    engine: Engine,
    steps: int,
    queries: Floats,
    vectors: Floats,
    size: int,
    rerank: float,
    config: IndexConfig,
) -> float:
    """Finds by how much a search must widen under filters that admit a share of all items."""
    exponents = [0.0]
    for share in SHARES:
        mask = np.random.default_rng(config.seed).random(size) < share
        if not (count := int(np.count_nonzero(mask))):
            continue
        bits = np.packbits(mask, bitorder="little")
        probe = Probe.of(queries[:64], vectors, size, bits, count, config.target_k)
        needed = _steps(engine, probe, rerank, max(FILTER_RECALL, config.target_recall))
        exponents.append(np.log(needed / steps) / -np.log(share))
    return float(max(exponents))


def _costs(
    engine: Engine, parameters: Parameters, queries: Floats, vectors: Floats, size: int, k: int
) -> Costs:
    if not size or not len(queries):
        return Costs(0.0, 0.0, 0.0, 0.0)
    one, k = queries[:1], min(k, size)
    few = np.linspace(0, size - 1, min(size, 4096)).astype(np.int64)
    taking = _seconds(lambda: vectors.take(few, axis=0)) / len(few)
    gathering = _seconds(lambda: gathered(few, vectors, one, k)) / len(few)
    bits = np.full(-(-size // 8), 255, np.uint8)  # filters are searched with bits
    once = _seconds(lambda: engine.search(one, k, bits, parameters))
    steps = parameters.nprobe or parameters.ef
    if not steps:
        return Costs(taking, gathering - taking, once, 0.0)
    wider = engine.with_steps(min(4 * steps, engine.most_steps))
    more = _seconds(lambda: engine.search(one, k, bits, wider))
    step = max(0.0, more - once) / max(1, (wider.nprobe or wider.ef or 0) - steps)
    return Costs(taking, max(0.0, gathering - taking), max(0.0, once - steps * step), step)


def _seconds(call: Callable[[], object], times: int = 7) -> float:
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return min(took)
