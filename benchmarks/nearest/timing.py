"""Times of searches turned into figures: overheads, percentiles, what a second thread adds."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import Result, paired, speedup
from benchmarks.nearest.sides import in_calls
from benchmarks.nearest.vectors import Float


def overhead(key: str, pairs: Sequence[tuple[float, float]]) -> Result:
    """Gives the median over blocks of our time over the peer's, less 1, and both in ms."""
    own, peer = (1e3 * median(side) for side in zip(*pairs, strict=True))
    return Result(key, median(a / b for a, b in pairs) - 1, "ms", own, peer, None, True)


def latencies(name: str, search: Callable[[Float], Any], asked: Float) -> Iterator[Result]:
    """Gives the median and the 99th percentile of one query at a time."""
    took = []
    for query in in_calls(asked, 1, 1000):
        start = time.perf_counter()
        search(query)
        took.append(1e3 * (time.perf_counter() - start))
    for share in (50, 99):
        yield Result(f"search_p{share}_ms_{name}", float(np.percentile(took, share)), "ms")


def threads(key: str, search: Callable[[Float], Any], asked: Float, blocks: int) -> Result:
    """Gives the queries a second of two threads, each asking one at a time, over those of one."""
    calls = in_calls(asked, 1, 200)

    def one(_: object) -> None:
        for query in calls:
            search(query)

    with ThreadPoolExecutor(2) as pool:
        pairs = paired(lambda _: list(pool.map(one, range(2))), one, range(2 * blocks), 1, 1)
    return speedup(key, [(two / 2, single) for two, single in pairs], len(calls), "q/s", None)
