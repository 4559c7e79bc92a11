"""Paired timing: both sides on the same fresh work in alternating blocks, medians over blocks."""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

Work = TypeVar("Work")

WARMUP_CALLS, KEPT_CALLS = 2, 4


@dataclass(frozen=True)
class Result:
    """One measured figure; `value` is what the summary holds.

    Args:
        key: its name in the summary.
        value: the figure, for a pair the ratio.
        unit: of `ours` and `peer`; of `value` where there is no peer.
        ours: the median of our side.
        peer: the median of the other side.
        target: the figure to reach.
        at_most: whether smaller is better.
    """

    key: str
    value: float
    unit: str = ""
    ours: float | None = None
    peer: float | None = None
    target: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """Says "ok" or "missed", or nothing where no target is set."""
        if self.target is None:
            return ""
        reached = self.value <= self.target if self.at_most else self.value >= self.target
        return "ok" if reached else "missed"


def seconds(run: Callable[[Work], object], item: Work) -> float:
    """Times `run(item)` by the monotonic clock."""
    start = time.perf_counter()
    run(item)
    return time.perf_counter() - start


def paired(
    ours: Callable[[Work], object],
    peer: Callable[[Work], object],
    work: Sequence[Work],
    warmup: int = WARMUP_CALLS,
    kept: int = KEPT_CALLS,
    average: Callable[[list[float]], float] = statistics.fmean,
) -> list[tuple[float, float]]:
    """Gives the average seconds a call of (ours, peer) in each block, alternating who begins.

    A block is `warmup + kept` calls of one side on items that it meets once, then the other side's
    on the same: each is timed in its own steady state, as in a training loop. The first `warmup`
    calls are not kept, since OpenMP's threads spin on their cores for 8 ms after the last call of
    whoever used them, and the caches are still the other side's. Where a call takes less than the
    system's slices of time, a median leaves out the few calls that were interrupted.
    """
    size = warmup + kept
    pairs = []
    for number, start in enumerate(range(0, len(work) - size + 1, size)):
        items = work[start : start + size]
        if number % 2:
            theirs, own = _block(peer, items, warmup, average), _block(ours, items, warmup, average)
        else:
            own, theirs = _block(ours, items, warmup, average), _block(peer, items, warmup, average)
        pairs.append((own, theirs))
    return pairs


def _block(
    run: Callable[[Work], object],
    items: Sequence[Work],
    warmup: int,
    average: Callable[[list[float]], float],
) -> float:
    return average([seconds(run, item) for item in items][warmup:])


def speedup(
    key: str, pairs: Sequence[tuple[float, float]], units: float, unit: str, target: float | None
) -> Result:
    """Turns paired seconds into the median of the blocks' ratios, with both median rates.

    Args:
        key: its name in the summary.
        pairs: seconds a call of (ours, peer) in each block.
        units: units of work in one call.
        unit: what the rates are in.
        target: the least ratio to reach.
    """
    ours = units / statistics.median(own for own, _ in pairs)
    peer = units / statistics.median(theirs for _, theirs in pairs)
    ratio = statistics.median(theirs / own for own, theirs in pairs)
    return Result(key, ratio, unit, ours, peer, target)


def parser(description: str) -> argparse.ArgumentParser:
    """Gives the options that every benchmark has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    options.add_argument("--quick", action="store_true", help="small tables and few rounds")
    return options


def report(
    title: str, results: Sequence[Result], settings: dict[str, Any], file: Path | None
) -> None:
    """Prints the results as a table; given a file, writes them with what they were measured on."""
    print(f"\n{title}")
    print(f"{'key':<36}{'ours':>12}{'peer':>12}  {'unit':<14}{'value':>10}{'target':>10}")
    for r in results:
        sign = "" if r.target is None else "<= " if r.at_most else ">= "
        target = "" if r.target is None else f"{sign}{r.target:g}"
        print(
            f"{r.key:<36}{_figure(r.ours):>12}{_figure(r.peer):>12}  {r.unit:<14}"
            f"{_figure(r.value):>10}{target:>10}  {r.verdict}"
        )
    if file:
        body = {
            "title": title,
            "machine": machine(),
            "settings": settings,
            "results": [asdict(r) for r in results],
            "summary": {r.key: r.value for r in results},
        }
        file.write_text(json.dumps(body, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """Describes where, when and with what a benchmark ran."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            name: _version(name)
            for name in ("torch", "torchrec", "fbgemm-gpu-cpu", "faiss-cpu", "numpy")
        },
        "commit": _commit(),
        "command": [Path(sys.argv[0]).stem, *sys.argv[1:]],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _cpu_name() -> str:
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or None
