"""Retrieval: recall@100 beside latency, over faiss called directly and over scoring everything.

`python -m benchmarks.retrieval [--quick] [--json FILE] [--only PART ...]`: 300 k planted items and
300 k without groups, and 41 k of two towers that are trained in the run on Gowalla (4 k of the
retail data where RECSYS_DATA is absent); the summary's figures are the worst of the sets.
Overheads, filters, churn and writes are of an inverted file of float32 on every set, however few
items it has; speed over exact search is of what `auto` chooses with a copy of float16. `--quick`
has 10 k items, which exact search scores as fast: its targets of speed are missed by design.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.measure import Result, parser, report
from benchmarks.nearest import peers, served, vectors
from benchmarks.nearest.churn import Churn
from benchmarks.nearest.filters import Filters
from benchmarks.nearest.resident import probe
from benchmarks.nearest.speed import CODECS, Speed
from benchmarks.nearest.towers import Towers, learn
from benchmarks.nearest.vectors import VectorSet
from benchmarks.nearest.writes import Writes


@dataclass(frozen=True, eq=False)
class Sizes:
    """How much is measured."""

    items: int
    blocks: int
    epochs: int
    users: int | None
    written: int
    requests: int
    quiet_s: float
    queries: int = 2000


FULL = Sizes(
    items=300_000, blocks=40, epochs=3, users=None, written=100_000, requests=4000, quiet_s=4.0
)
QUICK = Sizes(
    items=10_000, blocks=4, epochs=1, users=3000, written=10_000, requests=400, quiet_s=1.0
)


class Bench:
    """The sets of one run, and the parts that measure them."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.settings: dict[str, Any] = {}

    @cached_property
    def towers(self) -> Towers:
        learned = learn(self.sizes.epochs, self.sizes.users)
        self.settings["towers"] = {"epochs": self.sizes.epochs, "loss": learned.loss}
        return learned

    @cached_property
    def sets(self) -> list[VectorSet]:
        items, queries = self.sizes.items, self.sizes.queries
        sets = [
            vectors.planted(items, queries),
            vectors.spectrum(items, queries),
            vectors.learned(self.towers, queries),
        ]
        self.settings["sets"] = {one.name: list(one.vectors.shape) for one in sets}
        return sets

    def speed(self) -> Iterator[Result]:
        speed = Speed(self.sizes.blocks, self.sizes.items)
        for one in self.sets:
            yield from speed.measure(one)
        self.settings["chosen"] = speed.chosen
        yield from speed.summary()

    def filters(self) -> Iterator[Result]:
        filters = Filters(self.sizes.blocks // 2)
        for one in self.sets:
            yield from filters.measure(one)
        self.settings["plans"] = filters.plans
        yield from filters.summary()

    def churn(self) -> Iterator[Result]:
        churn = Churn(self.sizes.quiet_s)
        for one in self.sets:
            yield from churn.measure(one)
        self.settings["maintained"] = churn.maintained
        yield from churn.summary()

    def writes(self) -> Iterator[Result]:
        writes = Writes(self.sizes.written)
        for one in self.sets:
            yield from writes.measure(one)
        yield from writes.summary()

    def memory(self) -> Iterator[Result]:
        for codec in CODECS:
            found = probe(codec, self.sizes.items)
            yield Result(f"resident_bytes_an_item_ivf_{codec}_planted", found, "bytes")

    def libraries(self) -> Iterator[Result]:
        yield from peers.measure(self.sets[0], self.sizes.blocks // 2)

    def http(self) -> Iterator[Result]:
        yield from served.measure(self.towers, self.sizes.requests)

    parts = {
        "speed": speed,
        "filters": filters,
        "churn": churn,
        "writes": writes,
        "memory": memory,
        "peers": libraries,
        "served": http,
    }


def main() -> None:
    """Measures the parts asked for, all by default."""
    options = parser(__doc__ or "")
    options.add_argument("--only", nargs="+", choices=Bench.parts, default=list(Bench.parts))
    given = options.parse_args()
    bench, results = Bench(QUICK if given.quick else FULL), []
    for part in given.only:
        for result in Bench.parts[part](bench):
            results.append(result)
            print(f"{result.key}: {result.value:.3g} {result.verdict}", flush=True)
    settings = {"quick": given.quick, "parts": given.only, **bench.settings}
    report("benchmarks.retrieval", results, settings, given.json)


if __name__ == "__main__":
    main()
