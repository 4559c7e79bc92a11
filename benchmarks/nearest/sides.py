"""Every side that is timed: a function from queries (Q, D) to the places of the best K items."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.nearest.truth import recall
from benchmarks.nearest.vectors import Float, Int, VectorSet
from recsys_embed.index import Index, IndexConfig, Parameters

K = 100
TARGET = 0.98
STEP = 1.12  # by which lists or candidates grow until the target is reached


@dataclass(frozen=True, eq=False)
class Built:
    """An index of ours over a set, and the seconds it took to build and tune it."""

    index: Index
    seconds: float


def build(of: VectorSet, config: IndexConfig, **given: Any) -> Built:
    """Builds our index over a set, tuned with its tuning queries."""
    start = time.perf_counter()
    index = Index.build(of.ids, of.vectors, config=config, queries=of.tuning, **given)
    return Built(index, time.perf_counter() - start)


def ours(index: Index, parameters: Parameters | None = None) -> Callable[[Float], Any]:
    """Searches our index."""
    return lambda queries: index.search(queries, K, parameters=parameters)


def direct(index: Index) -> Callable[[Float], Any]:
    """Searches the faiss index inside ours by its own Python method, with the same parameters."""
    inside: Any = index.view().state.engine
    held, steps = inside._index, index.stats().parameters
    if steps.nprobe is not None:
        held.nprobe = steps.nprobe
    else:
        held.hnsw.efSearch = steps.ef
    return lambda queries: held.search(queries, K)


def exact(of: VectorSet) -> Callable[[Float], Any]:
    """Searches faiss' IndexFlatIP over the same vectors."""
    flat = faiss.IndexFlatIP(of.vectors.shape[1])
    flat.add(of.vectors)
    return lambda queries: flat.search(queries, K)


def recall_of(index: Index, of: VectorSet, true: Int, parameters: Parameters | None) -> float:
    """Gives the recall of the asked queries; `true` (Q, K) are places in the set."""
    found = index.search(of.asked, K, parameters=parameters)
    return recall(found.ids, found.counts, of.ids[true])


def at_target(index: Index, of: VectorSet, true: Int) -> tuple[Parameters | None, float]:
    """Gives what reaches TARGET on the asked queries, and the recall: the tuned parameters if so.

    Tuning saw other queries, so that its parameters may fall a little short on these; then lists
    or candidates grow until they do not.
    """
    parameters, tuned = None, index.stats().parameters
    reached = recall_of(index, of, true, None)
    steps = tuned.nprobe or tuned.ef
    while reached < TARGET and steps is not None:
        steps = int(np.ceil(steps * STEP))
        parameters = Parameters(nprobe=steps) if tuned.nprobe else Parameters(ef=steps)
        reached = recall_of(index, of, true, parameters)
    return parameters, reached


def in_calls(queries: Float, size: int, calls: int, seed: int = 0) -> list[NDArray[np.float32]]:
    """Draws the queries of that many calls, each (size, D) and contiguous."""
    drawn = np.random.default_rng(seed).integers(0, len(queries), (calls, size))
    return [np.ascontiguousarray(queries[rows]) for rows in drawn]
