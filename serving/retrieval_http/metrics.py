"""What is counted of retrieval; a part of the server's metrics."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from serving.retrieval.asked import Candidates, IndexInfo
from serving.tally import Rows, Tally

COUNTERS = {
    "recsys_search": ("searches answered", ("index", "plan")),
    "recsys_search_candidates": ("candidates answered", ("index",)),
    "recsys_search_filtered": ("items kept out by filter and exclude", ("index",)),
    "recsys_search_below": ("items left out by a threshold", ("index",)),
}
TOWER, SEARCH = "recsys_tower_seconds", "recsys_search_seconds"
SECONDS = {
    TOWER: "time until the query vectors were there",
    SEARCH: "time to search an index",
}
RECALL_SUM, RECALL_QUERIES = "recsys_index_recall_sum", "recsys_index_recall_queries"
PLANS = ("exact", "gather", "ivf", "hnsw")  # any other is "other": labels must stay few
DYING = [RECALL_SUM, RECALL_QUERIES]  # estimates of a worker that is gone say nothing of the rest


class Fact(NamedTuple):
    help: str
    value: Callable[[IndexInfo], float]


FACTS = {
    "recsys_index_items": Fact("items a search may find", lambda i: i.stats["items"]),
    "recsys_index_fresh": Fact("items not folded into the engine", lambda i: i.stats["fresh"]),
    "recsys_index_dead": Fact("places of deleted and replaced items", lambda i: i.stats["dead"]),
    "recsys_index_unfit": Fact("items written for another tower version", lambda i: i.unfit),
}
WORK = {
    "recsys_index_folds": Fact("times fresh items were folded in", lambda i: i.stats["folds"]),
    "recsys_index_rebuilds": Fact("times an engine was built anew", lambda i: i.stats["rebuilds"]),
}


def count(tally: Tally, found: Sequence[Candidates], bounds: tuple[float, ...]) -> None:
    """Counts the candidates of one request, and the time they took."""
    for one in found:
        tally.observe((TOWER, one.index), bounds, one.tower_s)
        tally.observe((SEARCH, one.index), bounds, one.search_s)
        tally.add(("recsys_search", one.index, one.plan if one.plan in PLANS else "other"))
        tally.add(("recsys_search_candidates", one.index), len(one.ids))
        tally.add(("recsys_search_filtered", one.index), one.filtered)
        tally.add(("recsys_search_below", one.index), one.below)


def note(tally: Tally, indexes: Sequence[IndexInfo]) -> None:
    """Leaves what each worker knows of its own indexes where the siblings find it."""
    for index in indexes:
        for name, work in WORK.items():
            tally.set((name, index.name), work.value(index))
        # set even if nothing is known: that of a version before must not stand for it
        tally.set((RECALL_SUM, index.name), (index.recall or 0.0) * index.recall_queries)
        tally.set((RECALL_QUERIES, index.name), index.recall_queries)


def collect(rows: Rows, indexes: Sequence[IndexInfo]) -> Iterator[Metric]:
    """Describes the indexes: what is the same in every worker, and what only all of them know."""
    version = GaugeMetricFamily(
        "recsys_index_version", "1 for the version in service", labels=["index", "version"]
    )
    for index in indexes:
        version.add_metric([index.name, index.version], 1)
    yield version
    for name, fact in FACTS.items():
        yield _gauge(name, fact.help, {i.name: fact.value(i) for i in indexes})
    for name, work in WORK.items():
        family = CounterMetricFamily(name, work.help, labels=["index"])
        for key in _keys(rows, name):
            family.add_metric(key[1:], rows[key][0])
        yield family
    queries = {key[1]: rows[key][0] for key in _keys(rows, RECALL_QUERIES)}
    yield _gauge(RECALL_QUERIES, "queries that the recall is estimated from", queries)
    recall = {name: rows[RECALL_SUM, name][0] / count for name, count in queries.items() if count}
    yield _gauge("recsys_index_recall", "recall against exact search", recall)


def _keys(rows: Rows, name: str) -> list[tuple[str, ...]]:
    return sorted(key for key in rows if key[0] == name)


def _gauge(name: str, text: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["index"])
    for index, value in values.items():
        family.add_metric([index], value)
    return family
