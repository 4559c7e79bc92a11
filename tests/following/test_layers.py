"""A snapshot under layers of deltas answers as the trainer's table does, however layers merge."""

import gc
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, DeltaError, SnapshotError, TableConfig, make_table
from recsys_embed.deltas import CODECS, decode, encode
from recsys_embed.layers import LayeredTables
from recsys_embed.row_maps import Hashed
from recsys_embed.snapshot import open_snapshot, write_snapshot
from tests.deltas.making import CONFIGS, LINEAGE, STEPS, delta_of, walk
from tests.table.making import int64s

ASKED = int64s(0, 1, 2, 3, -1, -(2**63), 2**63 - 1, 2**32, 2**32 + 1, 1 - 2**32, 77)
INTERVALS = st.lists(
    st.tuples(STEPS, st.booleans(), st.tuples(*[st.integers(0, 3)] * 2)), max_size=6
)


def layered(table, root, number=0, shards=1):
    """The table as a snapshot at an entry of the log."""
    extra = {"log": {"lineage": LINEAGE, "number": number}}
    path = write_snapshot(root, {"item": table}, extra=extra, shards=shards)
    return LayeredTables.of(open_snapshot(path))


def rows_of(table):
    found = {}
    for block in table.rows():
        found |= dict(zip(block.ids.tolist(), block.weights.tolist(), strict=True))
    return found


def told(rows, delta):
    """Rows as a dictionary after a delta, row by row."""
    part = delta.tables["item"]
    kept = {i: w for i, w in rows.items() if i not in part.tombstones.tolist()}
    return kept | dict(zip(part.ids.tolist(), part.weights.tolist(), strict=True))


def merged_somewhere(state, first, count):
    """The state with some neighbouring layers merged into one."""
    table = state.tables["item"]
    run = table.layers[first : first + count]
    if not run:
        return state
    return replace(state, tables={"item": table.with_merged(run, table.merge(run))})


@settings(max_examples=80)
@given(of=CONFIGS, before=STEPS, intervals=INTERVALS, codec=st.sampled_from(sorted(CODECS)),
       full=st.booleans(), shards=st.integers(1, 3))  # fmt: skip
def test_a_snapshot_and_layers_are_the_trainers_table(
    tmp_path_factory, of, before, intervals, codec, full, shards
):
    trainer = make_table(of)
    trainer.track_changes()
    now = walk(trainer, before, 100)
    state = layered(trainer, tmp_path_factory.mktemp("root"), shards=shards)
    rows, waiting, cursor = rows_of(state.tables["item"].base), [], trainer.seq
    form = {"state": True} if full else {"codec": codec}
    for number, (steps, applies, run) in enumerate(intervals, start=1):
        now = walk(trainer, steps, now)
        delta = decode(encode(delta_of(trainer, cursor, number=number, **form)))
        cursor, rows = trainer.seq, told(rows, delta)
        waiting.append(delta)
        if applies:
            state, waiting = merged_somewhere(state.after(waiting), *run), []
    state = state.after(waiting)
    held = trainer.contains(ASKED)
    answer = state.tables["item"].lookup(ASKED)
    np.testing.assert_array_equal(answer.found, held)
    assert answer.values[held].tolist() == [rows[i] for i in ASKED[held].tolist()]
    assert (state.number, state.tables["item"].num_rows) == (len(intervals), len(trainer))
    if full or codec == "fp32":
        np.testing.assert_array_equal(answer.values, trainer.lookup(ASKED))


def planted(count=10, config=None):
    table = make_table(config or TableConfig.of("item", 2))
    table.track_changes()
    table.assign(np.arange(count), np.arange(2 * count, dtype=np.float32).reshape(-1, 2))
    return table


@pytest.mark.parametrize("evicted", [0, 2])
def test_an_entry_with_training_state_is_not_kept_for_its_rows(tmp_path, evicted):
    trainer = planted()
    state = layered(trainer, tmp_path)
    since = trainer.seq
    trainer.assign(int64s(3), np.ones((1, 2), np.float32))
    trainer.evict(np.arange(evicted))
    data = encode(delta_of(trainer, since, state=True))
    held = sys.getrefcount(data)
    state = state.after([decode(data)])
    gc.collect()
    assert sys.getrefcount(data) == held
    assert state.tables["item"].lookup(int64s(3)).values.tolist() == [[1, 1]]


def test_older_versions_do_not_change(tmp_path):
    trainer = planted()
    versions = [layered(trainer, tmp_path)]
    for number in range(1, 6):
        trainer.assign(int64s(number), np.full((1, 2), -number, np.float32))
        trainer.evict(int64s(9 - number))
        versions.append(versions[-1].after([delta_of(trainer, trainer.seq - 2, number=number)]))
    for number, state in enumerate(versions):
        lost = [9 - n for n in range(1, number + 1)]
        written = {n: [-n, -n] for n in range(1, number + 1)}
        expected = {n: [2 * n, 2 * n + 1] for n in range(10)} | written
        # id n is written at n and evicted at 9 - n: the later of the two is the last word
        gone = {i for i in lost if i not in written or 9 - i >= i}
        answer = state.tables["item"].lookup(np.arange(10), missing="zeros")
        assert answer.values.tolist() == [[0, 0] if i in gone else expected[i] for i in range(10)]


def test_merging_keeps_layers_few_and_drops_what_was_written_over(tmp_path):
    trainer = planted(200)
    state = layered(trainer, tmp_path)
    for number in range(1, 200):
        trainer.assign(int64s(number % 40), np.full((1, 2), number, np.float32))
        state = state.after([delta_of(trainer, trainer.seq - 1, number=number)])
        while merging := state.merging():
            state = merging()(state)
        sizes = [len(layer.ids) for layer in state.tables["item"].layers]
        assert all(size > sum(sizes[:k]) for k, size in enumerate(sizes))
    assert state.layer_rows <= 2 * 40
    np.testing.assert_array_equal(
        state.tables["item"].lookup(np.arange(200)).values, trainer.lookup(np.arange(200))
    )


def test_a_merge_that_began_before_later_deltas_fits_under_them(tmp_path):
    trainer, states = planted(), []
    state = layered(trainer, tmp_path)
    for number in range(1, 5):
        trainer.assign(int64s(3, number + 4), np.full((2, 2), number, np.float32))
        trainer.evict(int64s(number))
        state = state.after([delta_of(trainer, trainer.seq - 2, number=number)])
        states.append(state)
    change = states[1].merging()()
    state = change(states[3])
    assert len(state.tables["item"].layers) == 3
    asked = np.arange(10)
    np.testing.assert_array_equal(state.tables["item"].lookup(asked).values, trainer.lookup(asked))
    other = layered(trainer, tmp_path, number=4)
    assert change(other) is other


def test_tombstones_of_ids_that_came_and_went_are_not_kept(tmp_path):
    trainer = planted(3)
    state = layered(trainer, tmp_path)
    for number in range(1, 20):
        trainer.assign(int64s(100 + number), np.ones((1, 2), np.float32))
        trainer.evict(int64s(99 + number, 1))
        state = state.after([delta_of(trainer, trainer.seq - 2, number=number)])
        while merging := state.merging():
            state = merging()(state)
    assert state.tables["item"].num_rows == 3
    assert state.layer_rows <= 6


def test_row_maps_read_through_layers(tmp_path):
    trainer = planted(4, TableConfig.of("item", 2, row_map=Hashed(rows=4)))
    state = layered(trainer, tmp_path)
    trainer.assign(int64s(11), np.full((1, 2), 7, np.float32))
    state = state.after([delta_of(trainer, trainer.seq - 1)])
    asked = np.arange(50)
    np.testing.assert_array_equal(state.tables["item"].lookup(asked).values, trainer.lookup(asked))


def edited(delta, **values):
    return replace(delta, tables={"item": replace(delta.tables["item"], **values)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: replace(d, lineage="x"),
            f"expected a delta of the lineage {LINEAGE}, found .* x",
        ),
        (lambda d: replace(d, number=3, prev=2), "follows 0, found delta 3, which follows 2"),
        (lambda d: replace(d, tables={**d.tables, "cart": d.tables["item"]}), "found also .'cart'"),
        (lambda d: edited(d, dim=3), "of 2 dimensions and config .*, found 3 dimensions"),
        (lambda d: edited(d, config="0" * 16), "found 2 dimensions and config 0000000000000000"),
        (lambda d: edited(d, prev_seq=2), "expected changes after 1, found changes after 2"),
        (lambda d: edited(d, prev_seq=0, seq=0), "expected changes beyond 1, found some to 0"),
        (lambda d: edited(d, tombstones=int64s(5)), "id 5 stands twice"),
    ],
)
def test_a_delta_that_does_not_follow_is_refused(tmp_path, change, words):
    trainer = planted()
    state = layered(trainer, tmp_path)
    trainer.assign(int64s(5), np.ones((1, 2), np.float32))
    with pytest.raises(DeltaError, match=words):
        state.after([change(delta_of(trainer, 1))])


def test_a_delta_again_is_refused_and_one_that_covers_it_is_not(tmp_path):
    trainer = planted()
    state = layered(trainer, tmp_path)
    trainer.assign(int64s(5), np.ones((1, 2), np.float32))
    one = delta_of(trainer, 1, number=1)
    trainer.assign(int64s(6), np.ones((1, 2), np.float32))
    both = replace(delta_of(trainer, 1, number=2), prev=0)
    state = state.after([one])
    with pytest.raises(DeltaError, match="follows 1, found delta 1"):
        state.after([one])
    found = state.after([both]).tables["item"].lookup(int64s(5, 6)).values
    assert found.tolist() == [[1, 1], [1, 1]]


def test_a_snapshot_without_a_log_is_not_followed(tmp_path):
    table = CollisionlessTable(TableConfig.of("item", 2))
    for extra in ({}, {"log": {"lineage": LINEAGE}}, {"log": 3}):
        path = write_snapshot(tmp_path, {"item": table}, extra=extra)
        with pytest.raises(SnapshotError, match=r"expected the lineage .* in extra\['log'\]"):
            LayeredTables.of(open_snapshot(path))
