"""Other libraries' graphs over the same vectors, where their wheels are installed."""

import importlib.util
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

from benchmarks.measure import Result, paired, speedup
from benchmarks.nearest.sides import TARGET, K, exact, in_calls
from benchmarks.nearest.truth import best, recall
from benchmarks.nearest.vectors import Float, Int, VectorSet

LINKS, CONSTRUCTION = 16, 100
WIDTHS = (128, 256, 512, 1024)  # candidates kept in a walk
BUILDING_THREADS = 2
WARMUP, KEPT = 10, 40

Search = Callable[[Float], Int]  # to places (Q, K)


def measure(of: VectorSet, blocks: int) -> Iterator[Result]:
    """Gives each peer's recall and speed over exact search, at the first width that reaches 0.98.

    Where none does, at the last.
    """
    true, flat = best(of.vectors, of.asked, K), exact(of)
    for name, make in PEERS.items():
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed, and is left out")
            continue
        at_width = make(of.vectors)
        for width in WIDTHS:
            search = at_width(width)
            found = search(of.asked)
            share = recall(found, np.full(len(found), K), true)
            if share >= TARGET:
                break
        calls = in_calls(of.asked, 1, blocks * (WARMUP + KEPT))
        yield Result(f"recall_{name}_ef{width}_{of.name}", share)
        pairs = paired(search, flat, calls, WARMUP, KEPT, median)
        yield speedup(f"qps_batch1_{name}_{of.name}", pairs, 1, "q/s", None)


def _hnswlib(vectors: Float) -> Callable[[int], Search]:
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), M=LINKS, ef_construction=CONSTRUCTION, random_seed=1)
    index.add_items(vectors, num_threads=BUILDING_THREADS)

    def at(width: int) -> Search:
        index.set_ef(width)
        return lambda queries: index.knn_query(queries, K, num_threads=1)[0].astype("int64")

    return at


def _usearch(vectors: Float) -> Callable[[int], Search]:
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=LINKS)
    index.add(np.arange(len(vectors)), vectors, threads=BUILDING_THREADS)

    def at(width: int) -> Search:
        index.expansion_search = width
        return lambda queries: (
            index.search(queries, K, threads=1).keys.astype("int64").reshape(-1, K)
        )

    return at


PEERS: dict[str, Callable[[Float], Callable[[int], Search]]] = {
    "hnswlib": _hnswlib,
    "usearch": _usearch,
}
