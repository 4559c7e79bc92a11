"""How fast a search is: over faiss called directly, and over scoring everything."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import faiss

from benchmarks.measure import Result, paired, speedup
from benchmarks.nearest.sides import (
    TARGET,
    Built,
    K,
    at_target,
    build,
    direct,
    exact,
    in_calls,
    ours,
    recall_of,
)
from benchmarks.nearest.timing import latencies, overhead, threads
from benchmarks.nearest.truth import best
from benchmarks.nearest.vectors import Float, Int, VectorSet
from recsys_embed.index import IndexConfig
from recsys_embed.index.config import Codec

BATCHES = (1, 8, 64)
CODECS: tuple[Codec, ...] = ("fp32", "fp16", "int8")
AUTO_CODEC: Codec = "fp16"  # half the bytes to read, and results are scored again in full
OVERHEADS = {1: 0.20, 64: 0.05}
# calls of a block that warm up, and that count, by the size of a batch
BLOCK = {1: (10, 40), 8: (2, 8), 64: (1, 3)}


class Speed:
    """Measures sets of vectors one after the other; the summary takes the worse of them.

    Args:
        blocks: of calls of either side, for each figure.
        large: items from which a set counts for `speedup_over_exact_at_098`.
    """

    def __init__(self, blocks: int, large: int) -> None:
        self.blocks, self.large = blocks, large
        self.overheads: dict[int, list[Result]] = {size: [] for size in OVERHEADS}
        self.speedups: list[Result] = []
        self.chosen: dict[str, Any] = {}

    def measure(self, of: VectorSet) -> Iterator[Result]:
        """Gives all figures of a set."""
        faiss.omp_set_num_threads(1)
        true, flat = best(of.vectors, of.asked, K), exact(of)
        for codec in CODECS:
            made = build(of, IndexConfig(kind="ivf", codec=codec))
            if codec == "fp32":
                yield from self._overhead(of, made)
            yield from self._of_kind(of, made, f"ivf_{codec}_{of.name}", true, flat)
        made = build(of, IndexConfig(kind="hnsw"))
        yield from self._of_kind(of, made, f"hnsw_{of.name}", true, flat)
        below = min(IndexConfig().exact_below, self.large // 2)
        made = build(of, IndexConfig(codec=AUTO_CODEC, exact_below=below))
        yield from self._of_kind(of, made, f"auto_{of.name}", true, flat)
        yield from self._of_auto(of, made, true, flat)

    def summary(self) -> Iterator[Result]:
        """Gives the worst of the sets."""
        for size, target in OVERHEADS.items():
            worst = max(self.overheads[size], key=lambda r: r.value)
            yield Result(
                f"overhead_batch{size}", worst.value, "ms", worst.ours, worst.peer, target, True
            )
        if self.speedups:
            worst = min(self.speedups, key=lambda r: r.value)
            yield Result(
                "speedup_over_exact_at_098", worst.value, "q/s", worst.ours, worst.peer, 10
            )

    def _overhead(self, of: VectorSet, made: Built) -> Iterator[Result]:
        for size in OVERHEADS:
            pairs = self._pairs(ours(made.index), direct(made.index), of.asked, size)
            figure = overhead(f"overhead_batch{size}_{of.name}", pairs)
            self.overheads[size].append(figure)
            yield figure

    def _of_kind(
        self, of: VectorSet, made: Built, name: str, true: Int, flat: Callable[[Float], Any]
    ) -> Iterator[Result]:
        stats = made.index.stats()
        self.chosen[name] = {
            "kind": stats.kind, "codec": stats.codec, "nprobe": stats.parameters.nprobe,
            "ef": stats.parameters.ef, "tuned_recall": round(stats.tuned_recall, 4),
        }  # fmt: skip
        yield Result(f"recall_{name}", recall_of(made.index, of, true, None))
        yield Result(f"bytes_an_item_{name}", stats.num_bytes / stats.items, "bytes")
        yield Result(f"build_and_tune_s_{name}", made.seconds, "s")
        for size in BATCHES:
            pairs = self._pairs(ours(made.index), flat, of.asked, size)
            yield speedup(f"qps_batch{size}_{name}", pairs, size, "q/s", None)

    def _of_auto(
        self, of: VectorSet, made: Built, true: Int, flat: Callable[[Float], Any]
    ) -> Iterator[Result]:
        parameters, reached = at_target(made.index, of, true)
        search = ours(made.index, parameters)
        pairs = self._pairs(search, flat, of.asked, 1)
        figure = speedup(f"speedup_at_098_{of.name}", pairs, 1, "q/s", None)
        if len(of.ids) >= self.large and reached >= TARGET:
            self.speedups.append(figure)
        yield figure
        yield Result(f"recall_at_098_{of.name}", reached, target=TARGET)
        yield from latencies(f"auto_{of.name}", search, of.asked)
        yield threads(f"qps_2_threads_over_1_{of.name}", search, of.asked, self.blocks)

    def _pairs(
        self, own: Callable[[Float], Any], peer: Callable[[Float], Any], asked: Float, size: int
    ) -> list[tuple[float, float]]:
        warmup, kept = BLOCK[size]
        blocks = self.blocks if size == 1 else max(3, self.blocks // 2)
        calls = in_calls(asked, size, blocks * (warmup + kept))
        return paired(own, peer, calls, warmup, kept, median)
