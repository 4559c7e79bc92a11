"""Deltas of a table in training: taking, spelling and applying them, against copying the same rows.

`python -m benchmarks.deltas [--quick] [--json FILE]`: 4 M rows, D = 64, 1 M of them changed.
"""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from benchmarks.measure import Result, parser, report, speedup
from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.deltas import CODECS, Delta, apply, decode, encode
from recsys_embed.table_types import RowBlock

T = TypeVar("T")
DIM, FEW = 64, 1000
CONFIG = TableConfig.of("item", DIM)


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Gives the seconds of a call, and its answer."""
    start = time.perf_counter()
    answer = run()
    return time.perf_counter() - start, answer


class Bench:
    """A table and one that follows it by deltas."""

    def __init__(self, quick: bool) -> None:
        self.num_rows = 400_000 if quick else 4_000_000
        self.num_changed = self.num_rows // 4
        self.blocks = 3 if quick else 7
        self.rng = np.random.default_rng(0)
        self.table, self.follower = CollisionlessTable(CONFIG), CollisionlessTable(CONFIG)
        self.table.track_changes()
        for ids in np.array_split(np.arange(self.num_rows), 20):
            self.table.assign(ids, np.zeros((len(ids), DIM), np.float32))
        apply(self.delta("fp32", state=True), {"item": self.follower})

    def change(self, rows: int) -> None:
        """Writes some rows anew."""
        ids = self.rng.choice(self.num_rows, rows, replace=False)
        self.table.assign(ids, self.rng.random((rows, DIM), np.float32))

    def delta(self, codec: str, state: bool = False) -> Delta:
        """Reads what changed since the follower was brought up to date."""
        with self.table.changes(self.follower.seq, admission=state) as changes:
            given = {"lineage": "benchmark", "number": 1, "codec": codec, "state": state}
            return Delta.of({"item": changes}, **given)


def taking(bench: Bench) -> Iterator[Result]:
    """How long it takes to find the few rows that changed among all."""
    bench.change(FEW)
    seconds = [_take(bench) for _ in range(3 * bench.blocks)]
    yield Result("take_changes_ms", 1000 * float(np.median(seconds)), "ms", target=50, at_most=True)
    apply(bench.delta("fp32", state=True), {"item": bench.follower})


def _take(bench: Bench) -> float:
    seconds, changes = timed(lambda: bench.table.changes(bench.follower.seq))
    changes.close()
    return seconds


def applying(bench: Bench) -> Iterator[Result]:
    """Whole rows with training state, found by id and written over, and checked before."""
    alone, checked = [], []
    for _ in range(bench.blocks):
        bench.change(bench.num_changed)
        data = encode(bench.delta("fp32", state=True))
        decoding, delta = timed(lambda data=data: decode(data))
        applied, _ = timed(lambda delta=delta: apply(delta, {"item": bench.follower}))
        weights = np.array(delta.tables["item"].weights)
        copied = _copy(RowBlock.empty(len(weights), DIM, 1).weights, weights)
        alone.append((applied, copied))
        checked.append((decoding + applied, copied))
    result = speedup("apply_vs_memcpy", alone, bench.num_changed / 1e6, "M rows/s", 0.15)
    yield Result("apply_mrows_s", float(result.ours or 0), "M rows/s")
    yield result
    yield speedup("decode_apply_vs_memcpy", checked, bench.num_changed / 1e6, "M rows/s", None)


def _copy(target: np.ndarray, source: np.ndarray) -> float:
    np.copyto(target, source)
    return min(timed(lambda: np.copyto(target, source))[0] for _ in range(3))


def spelling(bench: Bench) -> Iterator[Result]:
    """Rows a second from the table to bytes, and bytes a row over its weights in fp32."""
    bench.change(bench.num_changed)
    for codec in CODECS:
        pairs = [timed(lambda codec=codec: encode(bench.delta(codec))) for _ in range(bench.blocks)]
        rate = bench.num_changed / float(np.median([seconds for seconds, _ in pairs])) / 1e6
        yield Result(f"encode_{codec}_mrows_s", rate, "M rows/s")
        size = len(pairs[0][1]) / bench.num_changed / (4 * DIM)
        key = "delta_bytes_per_row_vs_payload" if codec == "fp32" else f"delta_bytes_{codec}"
        target = 1.25 if codec == "fp32" else None
        yield Result(key, size, "of fp32", target=target, at_most=True)


def main() -> None:
    """Measures, prints, and writes the figures."""
    given = parser(__doc__ or "").parse_args()
    bench = Bench(given.quick)
    results = [*taking(bench), *applying(bench), *spelling(bench)]
    settings = {"rows": bench.num_rows, "changed": bench.num_changed, "dim": DIM, "few": FEW}
    report("benchmarks.deltas", results, settings, given.json)


if __name__ == "__main__":
    main()
