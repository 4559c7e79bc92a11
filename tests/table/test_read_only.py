"""Evaluation never inserts, never refreshes, never writes."""

import numpy as np
import pytest

from recsys_embed import Admission, Budget, FeatureRule, MissingIdError, TableConfig
from tests.table.making import counters, dump, int64s

FEATURES = (FeatureRule("a", threshold=2, ttl_s=10), FeatureRule("b"))
READS = {
    "lookup": lambda t, ids, **kw: t.lookup(ids, **kw),
    "lookup_pooled": lambda t, ids, **kw: t.lookup_pooled(ids, int64s(0, 2, len(ids)), **kw),
    "contains": lambda t, ids, **kw: t.contains(ids),
    "in": lambda t, ids, **kw: [int(i) in t for i in ids],
    "iteration": lambda t, ids, **kw: [list(t.ids()), list(t.rows()), len(t), t.stats()],
    "initial_values": lambda t, ids, **kw: t.initial_values(ids),
    "cut": lambda t, ids, **kw: t.cut().close(),
}


@pytest.fixture(params=["exact", "sketch"])
def table(new_table, request):
    """Expired, over budget and with ids waiting: whatever could change has a reason to."""
    table = new_table(
        TableConfig.of(
            "t",
            4,
            features=FEATURES,
            admission=Admission(request.param, width=64),
            budget=Budget(max_rows=8),
        )
    )
    table.train_lookup(np.repeat(np.arange(20), 2), feature="a", time=1000)
    table.train_lookup(np.arange(100, 110), feature="a", time=1005)
    table.assign(int64s(50), np.ones((1, 4), np.float32), time=2000)
    return table


def everything(table):
    with table.cut() as cut:
        waiting = {name: array.tobytes() for name, array in cut.admission.items()}
        return dump(table), counters(table), waiting, cut.clock_s, cut.seq


@pytest.mark.parametrize("missing", ["initial", "zeros", "error", np.ones(4, np.float32)], ids=str)
@pytest.mark.parametrize("read", READS)
def test_reading_changes_nothing(table, read, missing):
    before = everything(table)
    ids = int64s(0, 5, 100, 105, -1, 5, 2**62)
    try:
        READS[read](table, ids, missing=missing)
    except MissingIdError:
        assert missing == "error"
    assert everything(table) == before
