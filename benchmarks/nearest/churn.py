"""An index under writes: rounds that replace a third of the items, while a reader never stops."""

import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import faiss
import numpy as np

from benchmarks.measure import Result
from benchmarks.nearest.items import Items
from benchmarks.nearest.sides import K
from benchmarks.nearest.truth import recall
from benchmarks.nearest.vectors import Arrivals, Float, VectorSet, arrivals
from recsys_embed.index import Index, IndexConfig

ROUNDS, SHARE = 4, 0.33
BATCH = 1000  # items of a write
ASKED = 300
SETTLED_S = 60.0


class Search(NamedTuple):
    """One of a reader's searches: when, how long, and items it found that were gone before."""

    phase: str
    seconds: float
    gone: int


class Reader(threading.Thread):
    """Asks one query after the other, old and new ones alike, until it is told to stop."""

    def __init__(self, index: Index, items: Items, queries: Float) -> None:
        super().__init__()
        self.index, self.items, self.queries = index, items, queries
        self.phase, self.searches = "quiet", list[Search]()
        self._stopped = threading.Event()

    def run(self) -> None:
        rng = np.random.default_rng(3)
        while not self._stopped.is_set():
            query, phase = self.queries[rng.integers(len(self.queries))][None], self.phase
            start = time.perf_counter()
            found = self.index.search(query, K)
            took = time.perf_counter() - start
            gone = self.items.gone_before(start, found.ids[0, : found.counts[0]])
            self.searches.append(Search(phase, took, gone))

    def stop(self) -> None:
        """Ends it after the search under way."""
        self._stopped.set()
        self.join()

    def percentile(self, phase: str, share: float) -> float:
        """Gives that percentile of a phase's searches, in ms."""
        took = [one.seconds for one in self.searches if one.phase == phase]
        return 1e3 * float(np.percentile(took, share))


class Churn:
    """Measures sets one after the other; the summary takes the worst.

    Args:
        quiet_s: how long the reader asks before the first write; as long without a fold or a
            rebuild, and all is folded.
    """

    def __init__(self, quiet_s: float) -> None:
        self.quiet_s = quiet_s
        self.recalls: list[float] = []
        self.gone = 0
        self.maintained: dict[str, Any] = {}

    def measure(self, of: VectorSet) -> Iterator[Result]:
        """Gives all figures of a set, in an inverted file of float32 that folds by itself."""
        faiss.omp_set_num_threads(1)
        coming = arrivals(of, ROUNDS)
        items, first = Items(of, coming.first), coming.first
        index = Index.build(
            of.ids[first], of.vectors[first], config=IndexConfig(kind="ivf"), queries=of.tuning
        )
        yield Result(f"recall_before_churn_{of.name}", recalls(index, items, coming, 0)[0])
        reader = Reader(index, items, np.concatenate([coming.old, *coming.new]))
        reader.start()
        try:
            time.sleep(self.quiet_s)
            yield from self._rounds(index, items, coming, reader)
        finally:
            reader.stop()
        yield from self._pauses(reader, of.name)
        stats = index.stats()
        self.maintained[of.name] = {"folds": stats.folds, "rebuilds": stats.rebuilds}
        index.close()

    def summary(self) -> Iterator[Result]:
        """Gives the worst of all."""
        yield Result("recall_after_churn", min(self.recalls), target=0.98)
        yield Result("deleted_items_found", self.gone, target=0, at_most=True)

    def _rounds(
        self, index: Index, items: Items, coming: Arrivals, reader: Reader
    ) -> Iterator[Result]:
        rng, lowest, seconds, written = np.random.default_rng(4), 1.0, 0.0, 0
        for number, arriving in enumerate(coming.later, 1):
            reader.phase, start = "writing", time.perf_counter()
            written += items.churn(index, arriving, SHARE, BATCH, rng)
            seconds += time.perf_counter() - start
            reader.phase = "checking"
            old, new = recalls(index, items, coming, number)
            lowest = min(lowest, old, new)
        settle(index, self.quiet_s)
        found = {"": (old, new), "_once_folded": recalls(index, items, coming, ROUNDS)}
        for when, pair in found.items():
            self.recalls += pair
            for whose, share in zip(("old", "new"), pair, strict=True):
                yield Result(f"recall_after_churn{when}_{whose}_queries_{items.name}", share)
        yield Result(f"recall_in_churn_lowest_{items.name}", lowest)
        yield Result(f"churned_items_s_{items.name}", written / seconds, "items/s")

    def _pauses(self, reader: Reader, name: str) -> Iterator[Result]:
        self.gone += sum(one.gone for one in reader.searches)
        for key, share in (("p50", 50), ("p99", 99), ("longest", 100)):
            quiet, busy = (reader.percentile(phase, share) for phase in ("quiet", "writing"))
            yield Result(f"reader_{key}_ms_in_churn_{name}", busy, "ms", busy, quiet)


def settle(index: Index, still_s: float) -> None:
    """Waits until nothing has been folded or rebuilt for a while."""
    deadline, seen, since = time.monotonic() + SETTLED_S, None, time.monotonic()
    while (now := time.monotonic()) < deadline and now < since + still_s:
        stats = index.stats()
        if seen != (seen := (stats.folds, stats.rebuilds)):
            since = now
        time.sleep(0.05)


def recalls(index: Index, items: Items, coming: Arrivals, rounds: int) -> tuple[float, float]:
    """Gives the recalls of old queries and of those that want what these rounds brought.

    Everything is asked at once, before anything else, so that no fold has time to help.
    """
    asked = [coming.old[:ASKED], np.concatenate([coming.old[:0], *coming.new[:rounds]])[:ASKED]]
    found = [index.search(queries, K) for queries in asked]
    shares = [
        recall(one.ids, one.counts, items.true(queries))
        for one, queries in zip(found, asked, strict=True)
    ]
    return shares[0], shares[1]
