"""What is counted, under which name; one scrape covers all workers of a server."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from time import time

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from serving.lookup import Answer, LookupService

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
IDS = (1, 4, 16, 64, 256, 1024, 4096, 16_384)


class SnapshotCollector(Collector):
    """Facts of the snapshot in service; the same in every worker, so they need no shared files."""

    def __init__(self, service: Callable[[], LookupService | None]) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        version = GaugeMetricFamily(
            "recsys_active_version", "1 for the version served", labels=["table", "version"]
        )
        rows = GaugeMetricFamily("recsys_table_rows", "rows of a table", labels=["table"])
        age = GaugeMetricFamily("recsys_embedding_age_seconds", "time since the snapshot was taken")
        service = self._service()
        if service is not None:
            age.add_metric([], time() - service.created)
            for name, table in service.tables.items():
                version.add_metric([name, service.version], 1)
                rows.add_metric([name], table.num_rows)
        yield from (version, rows, age)


class Metrics:
    """The counters of one worker; any thread may count."""

    def __init__(self, service: Callable[[], LookupService | None]) -> None:
        own = CollectorRegistry()
        requests = Counter("recsys_request", "requests answered", ["route", "status"], registry=own)
        seconds = Histogram(
            "recsys_request_seconds", "time to the answer", ["route"], registry=own, buckets=SECONDS
        )
        reads = Histogram(
            "recsys_store_read_seconds",
            "time to read rows",
            ["tier"],
            registry=own,
            buckets=SECONDS,
        )
        self._ids = Histogram(
            "recsys_lookup_ids", "ids a request asks for", registry=own, buckets=IDS
        )
        status = Counter("recsys_lookup_status", "ids looked up", ["table", "status"], registry=own)
        self.inflight = Gauge(
            "recsys_inflight", "requests being answered", registry=own, multiprocess_mode="livesum"
        )
        self.read_seconds = reads.labels("snapshot").observe
        # labels() formats and locks on every call; routes and tables are few, so keep the children
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)
        self._status = cache(status.labels)
        self._exposed = self._registry_to_expose(own, SnapshotCollector(service))

    @staticmethod
    def _registry_to_expose(own: CollectorRegistry, snapshot: Collector) -> CollectorRegistry:
        if MULTIPROCESS_FOLDER in os.environ:
            own = CollectorRegistry()
            MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=own)
        own.register(snapshot)
        return own

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts one request; `route` is its template, so that labels stay few."""
        self._requests(route, status).inc()
        self._seconds(route).observe(seconds)

    def looked_up(self, answers: list[Answer]) -> None:
        """Counts the ids of one request by table and status."""
        self._ids.observe(sum([answer.found.size for answer in answers]))
        for answer in answers:
            found = int(np.count_nonzero(answer.found))
            self._status(answer.table, "found").inc(found)
            if found < answer.found.size:
                self._status(answer.table, "missing").inc(answer.found.size - found)

    def exposition(self) -> bytes:
        """Writes everything in Prometheus' text format."""
        if MULTIPROCESS_FOLDER in os.environ:
            _forget_the_dead(Path(os.environ[MULTIPROCESS_FOLDER]))
        return generate_latest(self._exposed)


def _forget_the_dead(folder: Path) -> None:
    """Removes the gauges of workers that are gone: what they were doing, nobody does now."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
