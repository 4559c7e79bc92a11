"""Items written a second, with their attributes, into an index that folds meanwhile."""

import time
from collections.abc import Iterator
from itertools import cycle

import faiss
import numpy as np

from benchmarks.measure import Result
from benchmarks.nearest.filters import SCHEMA, Shop
from benchmarks.nearest.sides import build
from benchmarks.nearest.vectors import VectorSet
from recsys_embed.index import IndexConfig

BATCH, SINGLES = 1000, 500


class Writes:
    """Measures sets one after the other; the summary takes the slowest.

    Args:
        items: written in batches of `BATCH`, as long as a set has them; half are known.
    """

    def __init__(self, items: int) -> None:
        self.items = items
        self.rates: list[float] = []

    def measure(self, of: VectorSet) -> Iterator[Result]:
        """Gives the rate of batches, and how long it takes to write one item."""
        faiss.omp_set_num_threads(1)
        tags = Shop(of).attributes
        index = build(of, IndexConfig(kind="ivf"), schema=SCHEMA, attributes=tags).index
        rng, new = np.random.default_rng(5), of.ids ^ 1 << 62
        rows = rng.choice(len(of.ids), min(self.items, len(of.ids)), replace=False)
        ids = np.where(rng.random(len(rows)) < 0.5, of.ids[rows], new[rows])
        values = {name: [column[row] for row in rows] for name, column in tags.items()}
        start = time.perf_counter()
        for at in range(0, len(rows), BATCH):
            part = slice(at, at + BATCH)
            index.upsert(ids[part], of.vectors[rows[part]], {k: v[part] for k, v in values.items()})
        self.rates.append(len(rows) / (time.perf_counter() - start))
        yield Result(f"upserts_s_{of.name}", self.rates[-1], "items/s")
        took = []
        for row, _ in zip(cycle(rows), range(SINGLES), strict=False):
            start = time.perf_counter()
            index.upsert(of.ids[row : row + 1], of.vectors[row : row + 1])
            took.append(1e3 * (time.perf_counter() - start))
        yield Result(f"upsert_of_one_p50_ms_{of.name}", float(np.median(took)), "ms")
        yield Result(f"upsert_of_one_p99_ms_{of.name}", float(np.percentile(took, 99)), "ms")
        index.close()

    def summary(self) -> Iterator[Result]:
        """Gives the slowest."""
        yield Result("upserts_s", min(self.rates), "items/s")
