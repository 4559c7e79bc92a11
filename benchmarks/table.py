"""The table against what a stranger would use instead: speed, memory, snapshots.

`python -m benchmarks.table [--quick] [--json FILE]`: 4,096 bags of 8 ids, D = 64, 4 M rows.
Ours always starts from raw 64-bit ids; peers that know no ids are given dense indices.

Steps on two threads depend on where a virtual machine's host runs the cores: a row that one thread
has read is 85 ns away from the other where they share a third-level cache, and 370 ns where they do
not. Seen within minutes on the same machine, of the native code alone: 37 and 28 M ids/s.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recsys_embed
from benchmarks.batches import Bags, Draw, bags, ids_of
from benchmarks.measure import (
    KEPT_CALLS,
    WARMUP_CALLS,
    Result,
    paired,
    parser,
    report,
    seconds,
    speedup,
)
from benchmarks.memory import probe
from benchmarks.ours import OurTable
from benchmarks.peers import ManagedCollisions, Tbe, TorchBag
from recsys_embed.snapshot import write_snapshot

DIM, NUM_BAGS, BAG_SIZE, ZIPF = 64, 4096, 8, 1.05
THREADS = (1, 2)
MANY, FEW = 8, 4  # batches in a call
# TorchRec names no default; 5 is TorchEasyRec's, and 64 shows what sorting less often changes.
INTERVALS = {5: "remap_vs_mch", 64: "remap_vs_mch_interval64"}

Side = Callable[[Sequence[Bags]], object]


class Bench:
    """Sizes and random numbers of one run, and the table that every pair measures."""

    def __init__(self, quick: bool) -> None:
        self.num_rows = 250_000 if quick else 4_000_000
        self.blocks = 3 if quick else 10
        self.rng = np.random.default_rng(0)
        self.draws = {
            "": Draw(self.num_rows, None, self.rng),
            "_zipf": Draw(self.num_rows, ZIPF, self.rng),
        }
        self.grad = 0.01 * self.rng.standard_normal((NUM_BAGS, DIM), np.float32)
        self.ours = OurTable(self.num_rows, DIM)

    def pairs(
        self,
        key: str,
        ours: Side,
        peer: Side,
        target: float | None,
        batches: int = MANY,
        blocks: int | None = None,
        calls: tuple[int, int] = (WARMUP_CALLS, KEPT_CALLS),
    ) -> Iterator[Result]:
        """Measures one pair for both distributions and each number of threads.

        Args:
            key: its name in the summary.
            ours: our side.
            peer: the other.
            target: the least ratio to reach, or one for each number of threads.
            batches: how many a call takes.
            blocks: how many each side has.
            calls: of each block, not kept and kept.
        """
        for suffix, draw in self.draws.items():
            for threads in THREADS:
                count = (blocks or self.blocks) * sum(calls)
                work = bags(draw, NUM_BAGS, BAG_SIZE, batches, count)
                set_threads(threads)
                timed = paired(ours, peer, work, *calls)
                ids = batches * NUM_BAGS * BAG_SIZE / 1e6
                name = f"{key}{suffix}_t{threads}"
                yield speedup(name, timed, ids, "M ids/s", target and target_of(target, threads))


def target_of(target: Any, threads: int) -> float:
    """Picks the target of a number of threads, where they differ."""
    return float(target[threads] if isinstance(target, dict) else target)


def set_threads(count: int) -> None:
    """Gives both sides the same number of threads."""
    torch.set_num_threads(count)
    recsys_embed.set_num_threads(count)


def inserts(bench: Bench) -> Iterator[Result]:
    """Fills a table from empty with ids it has never met; the last one stays for what follows."""
    for threads in THREADS:
        set_threads(threads)
        bench.ours = OurTable(bench.num_rows, DIM)
        rate = bench.num_rows / seconds(lambda ours: ours.fill(), bench.ours) / 1e6
        yield Result(f"insert_mrows_s_t{threads}", rate, "M rows/s", rate)


def against_torch(bench: Bench) -> Iterator[Result]:
    """Measures torch.nn.EmbeddingBag: forward alone, then with its sparse Adagrad."""
    peer, grad = TorchBag(bench.num_rows, DIM), torch.from_numpy(bench.grad)
    yield from bench.pairs("lookup_vs_embeddingbag", bench.ours.lookup, peer.lookup, 0.5)
    yield from bench.pairs(
        "step_vs_torch_sparse",
        lambda work: bench.ours.step(work, bench.grad),
        lambda work: peer.step(work, grad),
        10,
        FEW,
        max(3, bench.blocks // 2),
    )


def against_tbe(bench: Bench) -> Iterator[Result]:
    """Measures FBGEMM's fused step."""
    peer, grad = Tbe(bench.num_rows, DIM), torch.from_numpy(bench.grad)
    yield from bench.pairs(
        "step_vs_tbe",
        lambda work: bench.ours.step(work, bench.grad),
        lambda work: peer.step(work, grad),
        {1: 1.0, 2: 1.5},
    )


def against_mch(bench: Bench) -> Iterator[Result]:
    """Measures TorchRec's managed collisions, filled like ours and sorted once a round."""
    for interval, key in INTERVALS.items():
        peer = ManagedCollisions(bench.num_rows, interval)
        peer.step(_filling(bench, interval))
        target = 60 if key == "remap_vs_mch" else None
        blocks = max(2, bench.blocks * 2 // interval)
        calls = (1, 1) if interval == min(INTERVALS) else (0, 1)
        yield from bench.pairs(key, bench.ours.remap, peer.step, target, interval, blocks, calls)


def _filling(bench: Bench, interval: int) -> list[Bags]:
    """Gives batches that name every row once, as many as make whole intervals."""
    size = NUM_BAGS * BAG_SIZE
    offsets = np.arange(0, size + 1, BAG_SIZE, dtype=np.int64)
    order = bench.rng.permutation(bench.num_rows)
    count = -(-bench.num_rows // size // interval) * interval
    dense = np.resize(order, (count, size))
    return [Bags(ids_of(d), d, offsets) for d in dense]


def snapshots(bench: Bench) -> Iterator[Result]:
    """Writes the table, and the same bytes as tensors by torch.save.

    A snapshot is on the disk when its call returns. So is the file of the peer under the key with a
    target; `_unsynced` is torch.save as it comes, whose bytes the system may still lose.
    """
    set_threads(max(THREADS))
    tensors = tensors_of(bench.ours.table)
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Callable[[Path], object]] = {
            "ours": lambda path: write_snapshot(path, {"bench": bench.ours.table}),
            "synced": lambda path: _save(tensors, path, is_synced=True),
            "unsynced": lambda path: _save(tensors, path, is_synced=False),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(3):
            for name, write in sides.items():
                times[name].append(_on_clean_disk(write, Path(folder)))
    yield _slower("snapshot_vs_torch_save", times["ours"], times["synced"], 1.2)
    yield _slower("snapshot_vs_torch_save_unsynced", times["ours"], times["unsynced"], None)


def tensors_of(table: recsys_embed.CollisionlessTable) -> dict[str, torch.Tensor]:
    """Gives every column of a table as one tensor, the bytes that a snapshot holds."""
    with table.cut() as cut:
        columns: dict[str, Any] = {name: [] for name in recsys_embed.RowBlock._fields}
        for block in cut.blocks():
            for name, column in zip(block._fields, block, strict=True):
                columns[name].append(column.copy())
    # torch saves unsigned integers of these widths as the signed ones of the same size
    signed = {np.uint16: np.int16, np.uint32: np.int32, np.uint64: np.int64}
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    return {
        n: torch.from_numpy(c.view(signed.get(c.dtype.type, c.dtype))) for n, c in whole.items()
    }


def _save(tensors: dict[str, torch.Tensor], path: Path, is_synced: bool) -> None:
    with path.open("wb") as file:
        torch.save(tensors, file)
        file.flush()
        if is_synced:
            os.fsync(file.fileno())


def _on_clean_disk(write: Callable[[Path], object], folder: Path) -> float:
    path = folder / "written"
    os.sync()  # nobody pays for what the other left unwritten
    taken = seconds(write, path)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return taken


def _slower(key: str, ours: list[float], peer: list[float], target: float | None) -> Result:
    ratio = float(np.median(np.divide(ours, peer)))
    return Result(key, ratio, "s", float(np.median(ours)), float(np.median(peer)), target, True)


def memory(bench: Bench) -> Iterator[Result]:
    """Runs the probes of memory, each in a process of its own."""
    num_rows = max(bench.num_rows, 1_000_000)  # below, the process itself would weigh in
    overhead = probe("overhead", num_rows, DIM)
    yield Result("overhead_bytes_per_row", overhead["resident"], "bytes", None, None, 44, True)
    yield Result("overhead_bytes_per_row_counted", overhead["counted"], "bytes", at_most=True)
    peak = probe("snapshot", num_rows, DIM)["ratio"]
    yield Result("snapshot_peak_rss_ratio", peak, "", None, None, 1.15, True)
    returned = probe("evict", num_rows, DIM)["returned"]
    yield Result("evict_rss_returned", returned, "", None, None, 0.45)


SECTIONS = {
    "insert": inserts,
    "torch": against_torch,
    "tbe": against_tbe,
    "mch": against_mch,
    "snapshot": snapshots,
    "memory": memory,
}


def main() -> None:
    """Runs the sections asked for, all by default."""
    options = parser(__doc__ or "")
    options.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    given = options.parse_args()
    bench = Bench(given.quick)
    if "insert" not in given.only:
        bench.ours.fill()
    results = []
    for name in given.only:
        for result in SECTIONS[name](bench):
            results.append(result)
            print(f"{result.key}: {result.value:.3g} {result.verdict}", flush=True)
    settings = {"rows": bench.num_rows, "dim": DIM, "bags": NUM_BAGS, "bag_size": BAG_SIZE,
                "zipf": ZIPF, "blocks": bench.blocks, "batches_per_call": MANY,
                "calls_per_block": [WARMUP_CALLS, KEPT_CALLS]}  # fmt: skip
    report("benchmarks.table", results, settings, given.json)


if __name__ == "__main__":
    main()
