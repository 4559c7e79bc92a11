"""What is counted, under which name; one scrape covers all workers of a server."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from time import time
from typing import NamedTuple

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from serving.asked import Answer
from serving.lookup import LookupService
from serving.tally import Rows, Tally

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
IDS = (1, 4, 16, 64, 256, 1024, 4096, 16_384)


class Histogram(NamedTuple):
    help: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]


COUNTERS = {
    "recsys_request": ("requests answered", ("route", "status")),
    "recsys_lookup_status": ("ids looked up", ("table", "status")),
}
HISTOGRAMS = {
    "recsys_request_seconds": Histogram("time to the answer", ("route",), SECONDS),
    "recsys_store_read_seconds": Histogram("time to read rows", ("tier",), SECONDS),
    "recsys_lookup_ids": Histogram("ids a request asks for", (), IDS),
}
INFLIGHT = "recsys_inflight"


class Metrics(Collector):
    """The counters of one worker, exposed with those of its siblings.

    Args:
        service: gives what is in service now.
        folder: where the workers of one server share their counts; None for a single one.
    """

    def __init__(
        self, service: Callable[[], LookupService | None], folder: Path | None = None
    ) -> None:
        self._service = service
        self._tally = Tally(folder)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        if folder is None:
            ProcessCollector(registry=self._registry)

    def started(self) -> None:
        """Counts a request as being answered."""
        self._tally.add((INFLIGHT,))
        self._tally.publish_soon()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts one request; `route` is its template, so that labels stay few."""
        self._tally.add((INFLIGHT,), -1)
        self._tally.add(("recsys_request", route, str(status)))
        self._tally.observe(("recsys_request_seconds", route), SECONDS, seconds)
        self._tally.publish_soon()

    def looked_up(self, answers: list[Answer], seconds: float) -> None:
        """Counts the ids of one request by table and status, and the time to read their rows."""
        self._tally.observe(("recsys_store_read_seconds", "snapshot"), SECONDS, seconds)
        count = sum([answer.found.size for answer in answers])
        self._tally.observe(("recsys_lookup_ids",), IDS, count)
        for answer in answers:
            found = int(np.count_nonzero(answer.found))
            self._tally.add(("recsys_lookup_status", answer.table, "found"), found)
            if found < answer.found.size:
                missing = answer.found.size - found
                self._tally.add(("recsys_lookup_status", answer.table, "missing"), missing)

    def publish(self) -> None:
        """Leaves the counts to the siblings, for good."""
        self._tally.publish()

    def exposition(self) -> bytes:
        """Writes everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        rows = self._tally.total(gauges=[INFLIGHT])
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for key in _keys(rows, name):
                counter.add_metric(key[1:], rows[key][0])
            yield counter
        for name, histogram in HISTOGRAMS.items():
            yield _histogram(name, histogram, rows)
        yield GaugeMetricFamily(INFLIGHT, "requests being answered", rows.get((INFLIGHT,), [0])[0])
        yield from self._facts()

    def _facts(self) -> Iterator[Metric]:
        """Describes the snapshot in service, the same in every worker."""
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


def _keys(rows: Rows, name: str) -> list[tuple[str, ...]]:
    return sorted(key for key in rows if key[0] == name)


def _histogram(name: str, histogram: Histogram, rows: Rows) -> Metric:
    family = HistogramMetricFamily(name, histogram.help, labels=histogram.labels)
    edges = [*map(floatToGoString, histogram.bounds), "+Inf"]
    for key in _keys(rows, name):
        *counts, total = rows[key]
        buckets = list(zip(edges, accumulate(counts), strict=True))
        family.add_metric(key[1:], buckets, sum_value=total)
    return family
