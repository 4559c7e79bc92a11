"""Several safetensors files written at once in threads; the first error stops them all."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recsys_embed.snapshot.checksums import checksum
from recsys_embed.snapshot.format import FileRecord
from recsys_embed.snapshot.layout import Layout
from recsys_embed.snapshot.safetensors import TensorFileWriter

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FilePlan:
    """A file to write: its name in the snapshot, its layout, and what gives its blocks in order."""

    name: str
    layout: Layout
    blocks: Callable[[], Iterator[tuple[str, NDArray[Any]]]]


def write_files(
    directory: Path, plans: Sequence[FilePlan], threads: int, progress: Progress | None
) -> dict[str, FileRecord]:
    """Writes every file and brings it to disk; returns what the manifest says of each, by name.

    Raises:
        OSError: the first that any file meets; the other files then stop at their next block.
    """
    for parent in {(directory / plan.name).parent for plan in plans}:
        parent.mkdir(parents=True, exist_ok=True)
    meter = _Meter(sum(plan.layout.nbytes for plan in plans), progress)
    with ThreadPoolExecutor(threads, thread_name_prefix="snapshot") as pool:
        futures = [pool.submit(_write, directory, plan, meter) for plan in plans]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            records = [future.result() for future in futures if future in finished]
        finally:
            meter.stopped.set()
            pool.shutdown(cancel_futures=True)
    return {record.file: record for record in records}


def _write(directory: Path, plan: FilePlan, meter: "_Meter") -> FileRecord:
    with TensorFileWriter(directory / plan.name, plan.layout) as file:
        left = plan.layout.nbytes
        for name, block in plan.blocks():
            if meter.stopped.is_set():
                break
            file.append(name, block)
            meter.add(block.nbytes)
            left -= block.nbytes
        checksums = file.finish()
        meter.add(left)
    return FileRecord(plan.name, plan.layout.nbytes, checksum(plan.layout.header), checksums)


class _Meter:
    """Counts the bytes of all threads and tells them when to stop."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.stopped = threading.Event()
        self._total = total
        self._done = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, nbytes: int) -> None:
        with self._lock:
            self._done += nbytes
            if self._progress is not None:
                self._progress(self._done, self._total)
