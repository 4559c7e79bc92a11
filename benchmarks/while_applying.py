"""Deltas made to what is served: how fast, and what lookups notice of it."""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.event_to_served import serving_log
from benchmarks.http_load import Connection
from benchmarks.measure import Result, speedup
from benchmarks.planted_stream import Trainer
from recsys_embed.delta_log import open_log
from recsys_embed.deltas import decode
from recsys_embed.layers import LayeredTables
from recsys_embed.snapshot import open_snapshot

DIM, IDS_PER_REQUEST = 64, 100
APPLY_EVERY_S = 1.0


def applying(num_rows: int, rounds: int) -> Iterator[Result]:
    """A delta from its bytes to a served state, against a plain copy of the same rows."""
    with tempfile.TemporaryDirectory() as name:
        trainer = Trainer(Path(name) / "s", open_log(Path(name) / "log"), 2 * num_rows, DIM)
        tables = LayeredTables.of(open_snapshot(trainer.snapshot))
        target, pairs = np.empty((num_rows, DIM), np.float32), []
        for _ in range(rounds):
            data = trainer.delta(num_rows)
            start = time.perf_counter()
            later = tables.after([decode(data)])
            applied = time.perf_counter() - start
            weights = decode(data).tables["item"].weights
            pairs.append((applied, min(_copy(target, weights) for _ in range(3))))
            while merging := later.merging():
                later = merging()(later)
            tables = later
        size = len(data) / num_rows / (4 * DIM)
        full = len(trainer.delta(num_rows, state=True)) / num_rows / (4 * DIM)
    applied = speedup("apply_vs_memcpy", pairs, num_rows / 1e6, "M rows/s", 0.15)
    yield Result("apply_mrows_s", float(applied.ours or 0), "M rows/s")
    yield applied
    yield Result("delta_bytes_per_row_vs_payload", size, "of fp32", target=1.25, at_most=True)
    yield Result("delta_bytes_with_state_vs_payload", full, "of fp32")


def _copy(target: np.ndarray, source: np.ndarray) -> float:
    start = time.perf_counter()
    np.copyto(target, source)
    return time.perf_counter() - start


def lookups(num_rows: int, changed: int, rounds: int, seconds: float) -> Iterator[Result]:
    """One client's latencies while a delta comes every second, against those while none does."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "log"
        log = open_log(place)
        trainer = Trainer(Path(name) / "s", log, num_rows, DIM)
        entries = [trainer.delta(changed) for _ in range(int(rounds * seconds / APPLY_EVERY_S))]
        idle, during = list[float](), list[float]()
        with serving_log(str(place)) as port:
            connection = Connection(("127.0.0.1", port))
            requests = _requests(trainer)
            _ask(connection, requests, 1.0)
            for number in range(rounds):
                idle += _ask(connection, requests, seconds)
                share = entries[number::rounds]
                first = number * len(share) + 1
                numbered = list(enumerate(entries[first - 1 : first - 1 + len(share)], first))
                appending = threading.Thread(target=_append, args=(trainer, numbered))
                appending.start()
                during += _ask(connection, requests, seconds)
                appending.join()
                while log.head().number > _served(connection):
                    time.sleep(0.05)
        trainer.writer.close()
    p99 = [1000 * float(np.quantile(waited, 0.99)) for waited in (during, idle)]
    ratio = p99[0] / p99[1]
    yield Result("lookup_p99_during_apply_vs_idle", ratio, "ms", *p99, target=2.0, at_most=True)
    p50 = [1000 * float(np.quantile(waited, 0.5)) for waited in (during, idle)]
    yield Result("lookup_p50_during_apply_vs_idle", p50[0] / p50[1], "ms", *p50)


def _append(trainer: Trainer, entries: list[tuple[int, bytes]]) -> None:
    due = time.monotonic()
    for number, data in entries:
        trainer.append(number, data)
        due += APPLY_EVERY_S
        time.sleep(max(0.0, due - time.monotonic()))


def _requests(trainer: Trainer) -> list[bytes]:
    head = "POST /v1/tables/item/lookup HTTP/1.1\r\nHost: localhost\r\n"
    head += "Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n"
    head += f"Content-Length: {8 * IDS_PER_REQUEST}\r\n\r\n"
    drawn = trainer.rng.choice(trainer.ids, (2000, IDS_PER_REQUEST))
    return [head.encode() + ids.astype("<i8").tobytes() for ids in drawn]


def _ask(connection: Connection, requests: list[bytes], seconds: float) -> list[float]:
    waited, end, number = list[float](), time.perf_counter() + seconds, 0
    while (start := time.perf_counter()) < end:
        connection.exchange(requests[number % len(requests)])
        waited.append(time.perf_counter() - start)
        number += 1
    return waited


def _served(connection: Connection) -> int:
    head = connection.exchange(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n").lower()
    version = head.split(b"x-snapshot-version: ")[1].split(b"\r\n")[0]
    return int(version.rpartition(b":")[2])
