"""A merged delta does what its parts do one after the other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, DeltaError, TableConfig
from recsys_embed.deltas import CODECS, decode, encode, merge
from tests.deltas.making import BATCH, delta_of

CALLS = st.lists(st.tuples(st.booleans(), BATCH), max_size=4)


def followed(deltas):
    """Rows and tombstones as dictionaries that are written over, delta by delta."""
    rows, lost = {}, {}
    for delta in deltas:
        part = delta.tables["item"]
        for i, weights in zip(part.ids.tolist(), part.weights.tolist(), strict=True):
            rows[i] = weights
            lost.pop(i, None)
        for i, reason in zip(part.tombstones.tolist(), part.reasons.tolist(), strict=True):
            rows.pop(i, None)
            lost[i] = reason
    return rows, lost


@given(intervals=st.lists(CALLS, min_size=1, max_size=4), codec=st.sampled_from(sorted(CODECS)))
def test_the_last_word_about_each_id_stays(intervals, codec):
    table = CollisionlessTable(TableConfig.of("item", 2))
    table.track_changes()
    deltas = []
    for number, calls in enumerate(intervals, start=1):
        cursor = deltas[-1].tables["item"].seq if deltas else 0
        for is_assigned, ids in calls:
            values = np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2) + table.seq
            table.assign(ids, values) if is_assigned else table.evict(ids)
        deltas.append(delta_of(table, cursor, number=number, codec=codec, extra={"at": number}))
    whole = decode(encode(merge(deltas)))
    assert followed([whole]) == followed(deltas)
    part = whole.tables["item"]
    assert (whole.prev, whole.number, whole.extra) == (0, len(deltas), {"at": len(deltas)})
    assert (part.prev_seq, part.seq) == (0, table.seq)
    assert len(set(part.ids.tolist()) | set(part.tombstones.tolist())) == len(part.ids) + len(
        part.tombstones
    )


def chain(count):
    table = CollisionlessTable(TableConfig.of("item", 2))
    table.track_changes()
    deltas = []
    for number in range(1, count + 1):
        cursor = table.seq
        table.assign(np.array([number]), np.ones((1, 2), np.float32))
        deltas.append(delta_of(table, cursor, number=number))
    return deltas


def test_dense_arrays_stay_until_others_come():
    deltas = [
        replace(d, dense=dense) for d, dense in zip(chain(3), [{"w": 1}, {"w": 2}, {}], strict=True)
    ]
    assert merge(deltas).dense == {"w": 2}


def test_a_table_may_be_absent_from_some():
    one, two, three = chain(3)
    two = replace(two, tables={})
    three = replace(three, tables={"item": replace(three.tables["item"], prev_seq=1)})
    assert merge([one, two, three]).tables["item"].ids.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, b, c: [], "found none"),
        (lambda a, b, c: [a, c], "expected a delta after 1 of .*, found one after 2"),
        (lambda a, b, c: [b, a], "expected a delta after 2"),
        (lambda a, b, c: [a, replace(b, lineage="x")], "found one after 1 of x"),
        (lambda a, b, c: [a, edited(b, prev_seq=0)], "expected changes after 1, found 0"),
        (lambda a, b, c: [a, edited(b, config="0" * 16)], "cannot be merged"),
        (lambda a, b, c: [a, edited(b, codec="fp16")], "cannot be merged"),
    ],
)
def test_deltas_that_do_not_follow_each_other_are_refused(change, words):
    with pytest.raises(DeltaError, match=words):
        merge(change(*chain(3)))


def edited(delta, **values):
    return replace(delta, tables={"item": replace(delta.tables["item"], **values)})
