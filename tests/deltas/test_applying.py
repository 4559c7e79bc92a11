"""A snapshot and the deltas after it are the trainer's table, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, DeltaError, TableConfig, make_table
from recsys_embed.deltas import Delta, apply, decode, encode, merge
from recsys_embed.row_maps import Hashed
from tests.deltas.making import (
    CONFIGS,
    LINEAGE,
    STEPS,
    config,
    delta_of,
    everything,
    restored,
    walk,
)
from tests.table.making import dump, int64s


@settings(max_examples=120, deadline=None)
@given(of=CONFIGS, before=STEPS, intervals=st.lists(STEPS, min_size=1, max_size=4), after=STEPS,
       merged=st.booleans(), snapshot=st.integers(0, 4))  # fmt: skip
def test_a_snapshot_and_deltas_are_the_table_and_train_on_as_it_does(
    tmp_path_factory, of, before, intervals, after, merged, snapshot
):
    trainer = make_table(of)
    trainer.track_changes()
    now = walk(trainer, before, 100)
    copy, deltas, cursor = None, [], trainer.seq
    for k, steps in enumerate(intervals):
        if k == min(snapshot, len(intervals) - 1):
            # somewhere inside an interval: the delta begins before the snapshot
            now = walk(trainer, steps[: len(steps) // 2], now)
            copy = restored(trainer, tmp_path_factory.mktemp("root"))
            steps = steps[len(steps) // 2 :]
        now = walk(trainer, steps, now)
        deltas.append(delta_of(trainer, cursor, number=k + 1, state=True))
        cursor = trainer.seq
    deltas = [merge(deltas)] if merged else deltas
    for delta in deltas:
        if delta.tables["item"].seq >= copy.seq:
            apply(decode(encode(delta)), {"item": copy})
    assert everything(copy) == everything(trainer)
    for table in (copy, trainer):
        walk(table, after, now)
    assert everything(copy) == everything(trainer)


def trained(ids=range(10)):
    table = CollisionlessTable(config())
    table.track_changes()
    table.assign(int64s(*ids), np.ones((len(ids), 3), np.float32))
    return table


def test_a_delta_applied_twice_is_applied_once():
    trainer, copy = trained(), CollisionlessTable(config())
    delta = delta_of(trainer, 0, state=True)
    apply(delta, {"item": copy})
    held = everything(copy)
    apply(delta, {"item": copy})
    assert everything(copy) == held == everything(trainer)
    copy.evict(int64s(1))
    held = everything(copy)
    apply(delta, {"item": copy})
    assert everything(copy) == held


def test_an_empty_delta_advances():
    trainer, copy = trained(), CollisionlessTable(config())
    apply(delta_of(trainer, 0, state=True), {"item": copy})
    cursor = trainer.seq
    trainer.train_lookup(int64s(), time=77)
    delta = delta_of(trainer, cursor, number=2, state=True)
    assert len(delta.tables["item"].ids) == 0
    apply(delta, {"item": copy})
    assert (copy.seq, everything(copy)) == (cursor + 1, everything(trainer))


def test_a_gap_is_refused_with_both_numbers():
    trainer, copy = trained(), CollisionlessTable(config())
    cursor = trainer.seq
    trainer.evict(int64s(1))
    with pytest.raises(
        DeltaError, match=r"'item': expected changes after 0, found changes after 1"
    ):
        apply(delta_of(trainer, cursor, state=True), {"item": copy})
    assert (len(copy), copy.seq) == (0, 0)


def other(**rest):
    return CollisionlessTable(TableConfig.of("item", **{"dim": 3, **rest}))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (other(dim=4), "expected changes of 4 dimensions .* found 3 dimensions"),
        (other(seed=1), "config"),
        (make_table(TableConfig.of("item", 3, row_map=Hashed(rows=5))), "config"),
    ],
)
def test_changes_of_another_table_are_refused(table, words):
    trainer = other()
    trainer.track_changes()
    trainer.assign(int64s(1), np.ones((1, 3), np.float32))
    with pytest.raises(DeltaError, match=words):
        apply(delta_of(trainer, 0, state=True), {"item": table})
    assert len(table) == 0


def test_thresholds_and_budgets_may_differ():
    trainer, copy = trained(), CollisionlessTable(config(budget=100, sweep_rows=9))
    apply(delta_of(trainer, 0, state=True), {"item": copy})
    assert dump(copy) == dump(trainer)


def test_no_table_changes_if_one_cannot():
    one, two = trained(), trained()
    with one.changes(0, admission=True) as a, two.changes(0, admission=True) as b:
        delta = Delta.of({"one": a, "two": b}, lineage=LINEAGE, number=1, state=True)
    tables = {"one": CollisionlessTable(config()), "two": other(dim=2)}
    with pytest.raises(DeltaError, match="'two'"):
        apply(delta, tables)
    with pytest.raises(DeltaError, match="table 'two', found"):
        apply(delta, {"one": tables["one"]})
    assert tables["one"].seq == 0


def test_a_delta_for_serving_does_not_train():
    with pytest.raises(DeltaError, match="with training state"):
        apply(delta_of(trained(), 0), {"item": CollisionlessTable(config())})


def test_deltas_pass_through_a_table_that_is_followed_itself():
    trainer, relay, last = trained(), CollisionlessTable(config()), CollisionlessTable(config())
    relay.track_changes()
    for number in range(1, 4):
        cursor = trainer.seq if number > 1 else 0
        trainer.evict(int64s(number)) if number > 1 else None
        apply(delta_of(trainer, cursor, number=number, state=True), {"item": relay})
        apply(delta_of(relay, last.seq, number=number, state=True), {"item": last})
    assert everything(last) == everything(trainer)


def test_many_rows_in_many_threads_are_the_same(monkeypatch):
    trainer, copy = other(), other()
    trainer.track_changes()
    ids = np.random.default_rng(0).permutation(70_000)
    for part in (ids, ids[:30_000], ids[5000:40_000] + 50_000):
        cursor = copy.seq
        trainer.assign(part, np.random.default_rng(1).random((len(part), 3), np.float32))
        trainer.evict(part[::7].copy())
        apply(delta_of(trainer, cursor, state=True), {"item": copy})
        assert everything(copy) == everything(trainer)
