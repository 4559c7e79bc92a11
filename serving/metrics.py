"""What is counted, under which name; one scrape covers all workers of a server."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, repeat
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
from serving.following.standing import Standing
from serving.lookup import LookupService
from serving.retrieval.asked import Candidates, IndexInfo
from serving.retrieval_http import metrics as retrieval
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
    **retrieval.COUNTERS,
}
HISTOGRAMS = {
    "recsys_request_seconds": Histogram("time to the answer", ("route",), SECONDS),
    "recsys_store_read_seconds": Histogram("time to read rows", ("tier",), SECONDS),
    "recsys_lookup_ids": Histogram("ids a request asks for", (), IDS),
    **{name: Histogram(text, ("index",), SECONDS) for name, text in retrieval.SECONDS.items()},
}
INFLIGHT = "recsys_inflight"


class Followed(NamedTuple):
    help: str
    value: Callable[[Standing], float]
    is_counter: bool = False


FOLLOWED = {
    "recsys_follow_entry": Followed("last entry applied", lambda s: s.number),
    "recsys_follow_lag_entries": Followed("entries yet to apply", lambda s: s.lag_entries),
    "recsys_follow_lag_seconds": Followed(
        "how long something may have been waiting", lambda s: s.lag_seconds
    ),
    "recsys_follow_degraded": Followed(
        "1 while something keeps it from following", lambda s: float(s.reason is not None)
    ),
    "recsys_follow_layers": Followed("layers over the snapshot", lambda s: s.layers),
    "recsys_follow_layer_bytes": Followed("memory of the layers", lambda s: s.layer_bytes),
    "recsys_follow_entries_applied": Followed("entries applied", lambda s: s.applied, True),
    "recsys_follow_resyncs": Followed(
        "times begun anew from a snapshot", lambda s: s.resyncs, True
    ),
}
GAUGES = [
    INFLIGHT,
    *retrieval.DYING,
    *(name for name, family in FOLLOWED.items() if not family.is_counter),
]


class Metrics(Collector):
    """The counters of one worker, exposed with those of its siblings.

    Args:
        service: gives what is in service now.
        folder: where the workers of one server share their counts; None for a single one.
        standing: gives where the follower stands now, if there is one.
        indexes: tells how the indexes stand now.
    """

    def __init__(
        self,
        service: Callable[[], LookupService | None],
        folder: Path | None = None,
        standing: Callable[[], Standing | None] = lambda: None,
        indexes: Callable[[], Sequence[IndexInfo]] = tuple,
    ) -> None:
        self._service, self._standing, self._indexes = service, standing, indexes
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

    def searched(self, found: list[Candidates]) -> None:
        """Counts the candidates of one request, and the time they took."""
        retrieval.count(self._tally, found, SECONDS)

    def publish(self) -> None:
        """Leaves the counts to the siblings, for good."""
        self._note_standing()
        retrieval.note(self._tally, self._indexes())
        self._tally.publish()

    def exposition(self) -> bytes:
        """Writes everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        indexes = self._indexes()
        self._note_standing()
        retrieval.note(self._tally, indexes)
        rows = self._tally.total(GAUGES)
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for key in _keys(rows, name):
                counter.add_metric(key[1:], rows[key][0])
            yield counter
        for name, histogram in HISTOGRAMS.items():
            yield _histogram(name, histogram, rows)
        yield GaugeMetricFamily(INFLIGHT, "requests being answered", rows.get((INFLIGHT,), [0])[0])
        if self._standing() is not None:
            yield from map(_followed, FOLLOWED, FOLLOWED.values(), repeat(rows))
        yield from self._facts()
        if indexes:
            yield from retrieval.collect(rows, indexes)

    def _note_standing(self) -> None:
        if (standing := self._standing()) is not None:
            for name, family in FOLLOWED.items():
                self._tally.set((name, standing.replica), family.value(standing))

    def _facts(self) -> Iterator[Metric]:
        """Describes what is in service, the same in every worker that does not follow."""
        version = GaugeMetricFamily(
            "recsys_active_version", "1 for the version served", labels=["table", "version"]
        )
        rows = GaugeMetricFamily("recsys_table_rows", "rows of a table", labels=["table"])
        age = GaugeMetricFamily("recsys_embedding_age_seconds", "time since the snapshot was taken")
        service = self._service()
        if service is not None:
            age.add_metric([], time() - service.created)
            standing = self._standing()
            # a label that is new with every entry would fill Prometheus; recsys_follow_entry has it
            label = service.version if standing is None else standing.lineage
            for name, table in service.tables.items():
                version.add_metric([name, label], 1)
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


def _followed(name: str, family: Followed, rows: Rows) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    metric = kind(name, family.help, labels=["replica"])
    for key in _keys(rows, name):
        metric.add_metric(key[1:], rows[key][0])
    return metric
