"""Memory of one side alone: each probe runs in a process of its own and reads /proc/self/status."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.batches import ids_of
from recsys_embed import CollisionlessTable, FeatureRule, TableConfig
from recsys_embed.snapshot import write_snapshot

BATCH = 32_768
BOUND = 65_536


def probe(name: str, num_rows: int, dim: int) -> dict[str, float]:
    """Runs one of the probes below in a fresh process and gives what it found."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(num_rows), str(dim)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def overhead(num_rows: int, dim: int) -> dict[str, float]:
    """Measures bytes a row beyond weights and optimizer state, as a mean over growth.

    Taken at sizes spaced evenly in their logarithm over the last two doublings, so that a table
    just grown and one about to grow weigh alike; by resident memory, and by the table's own count.
    """
    sizes = np.unique((num_rows * 2.0 ** (np.arange(-32, 1) / 16)).astype(np.int64))
    out = np.empty((BATCH, dim), np.float32)
    _insert(CollisionlessTable(TableConfig.of("warm", dim)), 0, BATCH, out)
    table = CollisionlessTable(TableConfig.of("bench", dim))
    payload = 4 * (table.config.dim + table.config.state_width)
    base, done, resident, counted = resident_bytes(), 0, [], []
    for size in sizes.tolist():
        _insert(table, done, size, out)
        done = size
        resident.append((resident_bytes() - base) / size - payload)
        counted.append(table.stats().bytes / size - payload)
    return {"resident": float(np.mean(resident)), "counted": float(np.mean(counted))}


def snapshot(num_rows: int, dim: int) -> dict[str, float]:
    """Measures the peak of resident memory during a snapshot, over what was resident before it."""
    table = CollisionlessTable(TableConfig.of("bench", dim))
    _insert(table, 0, num_rows, np.empty((BATCH, dim), np.float32))
    before = resident_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    with tempfile.TemporaryDirectory() as root:
        write_snapshot(Path(root), {"bench": table})
    return {"before": before, "ratio": peak_bytes() / before}


def evict(num_rows: int, dim: int) -> dict[str, float]:
    """Measures what share of the table's memory returns after a random half of its rows expired."""
    rule = FeatureRule("f", ttl_s=100)
    table = CollisionlessTable(TableConfig.of("bench", dim, features=(rule,)))
    out = np.empty((BATCH, dim), np.float32)
    kept = np.random.default_rng(0).permutation(num_rows)[: num_rows // 2]
    base = resident_bytes()
    _insert(table, 0, num_rows, out, time=1000)
    full = resident_bytes()
    for start in range(0, len(kept), BATCH):
        ids = ids_of(kept[start : start + BATCH])
        table.train_lookup(ids, time=1050, out=out[: len(ids)])
    expired = 0
    for _ in range(0, 2 * num_rows, BOUND):
        expired += len(table.expire(now=1100, max_rows=BOUND).ids)
    while table.compact(max_moves=BOUND):
        pass
    returned = full - resident_bytes()
    return {
        "expired": expired / num_rows,
        "full": full - base,
        "returned": returned / (full - base),
    }


def resident_bytes() -> int:
    """Gives the resident memory of this process."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """Gives the most resident memory this process has had."""
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def _insert(
    table: CollisionlessTable, first: int, last: int, out: Any, time: int | None = None
) -> None:
    for start in range(first, last, BATCH):
        ids = ids_of(np.arange(start, min(start + BATCH, last)))
        table.train_lookup(ids, time=time, out=out[: len(ids)])


def main() -> None:
    """Runs one probe and prints its figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name", choices=("overhead", "snapshot", "evict"))
    options.add_argument("num_rows", type=int)
    options.add_argument("dim", type=int)
    given = options.parse_args()
    probes = {"overhead": overhead, "snapshot": snapshot, "evict": evict}
    print(json.dumps(probes[given.name](given.num_rows, given.dim)))


if __name__ == "__main__":
    main()
