"""Whoever follows the changes of a table, from whatever cursor, comes to hold the table."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import (
    BUDGET,
    DELETED,
    EXPIRED,
    Adam,
    Budget,
    CollisionlessTable,
    Evicted,
    FeatureRule,
    InputError,
    MappedTable,
    TableConfig,
)
from recsys_embed.row_maps import Bloom
from tests.table.drawing import IDS
from tests.table.making import columns, copied, dump, int64s, ordered

CONFIG = TableConfig.of("t", 2, optimizer=Adam(), features=(FeatureRule("f", 2, ttl_s=20),))
BATCH = st.lists(IDS, max_size=6).map(lambda ids: int64s(*ids))
CALLS = {
    "train": lambda t, ids, now: t.train_lookup(ids, time=now),
    "apply": lambda t, ids, now: t.apply_gradients(ids, np.ones((len(ids), 2), np.float32), lr=0.5),
    "assign": lambda t, ids, now: t.assign(ids, np.full((len(ids), 2), now, np.float32)),
    "evict": lambda t, ids, now: t.evict(ids),
    "expire": lambda t, ids, now: t.expire(now),
    "budget": lambda t, ids, now: t.enforce_budget(),
    "compact": lambda t, ids, now: t.compact(),
}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(CALLS)), BATCH, st.integers(0, 8)), max_size=30)


def tracked(config=CONFIG, ids=()):
    table = CollisionlessTable(config)
    table.track_changes()
    if len(ids):
        table.assign(int64s(*ids), np.zeros((len(ids), config.dim), np.float32))
    return table


def told(table, since):
    """Ids of the rows and of the tombstones after a cursor, with the reasons of these."""
    with table.changes(since) as changes:
        rows = sorted(changes.rows().ids.tolist())
        assert changes.num_rows == len(rows)
        return rows, changes.tombstones.ids.tolist(), changes.tombstones.reasons.tolist()


class Follower:
    """Holds rows by id as tuples of bytes, by nothing but the changes that it reads."""

    def __init__(self, cursor=0):
        self.rows, self.cursor = {}, cursor

    def follow(self, table):
        with table.changes(self.cursor) as changes:
            for i in changes.tombstones.ids.tolist():
                self.rows.pop(i, None)
            rows = changes.rows()
            for k, i in enumerate(rows.ids.tolist()):
                self.rows[i] = tuple(column[k].tobytes() for column in rows)
            assert not set(changes.tombstones.ids.tolist()) & set(rows.ids.tolist())
            assert (rows.seq > self.cursor).all() and (rows.seq <= changes.seq).all()
            self.cursor = changes.seq


def held_by(table):
    return {
        i: tuple(column[k].tobytes() for column in block)
        for block in copied(table.rows())
        for k, i in enumerate(block.ids.tolist())
    }


@settings(max_examples=150)
@given(steps=STEPS, readers=st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=3),
       budget=st.none() | st.integers(1, 6))  # fmt: skip
def test_followers_with_cursors_of_their_own_all_hold_the_table(steps, readers, budget):
    rules = {"budget": Budget(max_rows=budget)} if budget else {}
    features = (FeatureRule("f", 2, ttl_s=20),)
    table = tracked(TableConfig.of("t", 2, features=features, sweep_rows=3, **rules))
    followers, now = [Follower() for _ in readers], 0
    for k, (call, ids, passed) in enumerate(steps):
        now += passed
        CALLS[call](table, ids, now)
        for follower, moments in zip(followers, readers, strict=True):
            if k in moments:
                follower.follow(table)
                assert follower.rows == held_by(table)
        table.forget_changes(min(follower.cursor for follower in followers))
    for follower in followers:
        follower.follow(table)
        assert follower.rows == held_by(table)
        assert follower.cursor == table.seq


def test_each_way_in_which_a_row_changes_is_told():
    table = tracked(TableConfig.of("t", 2), range(100))
    ones = np.ones((2, 2), np.float32)
    for change, rows, lost in (
        (lambda: table.assign(int64s(3, 200), ones), [3, 200], []),
        (lambda: table.train_lookup(int64s(5, 300)), [5, 300], []),
        (lambda: table.apply_gradients(int64s(7, 999), ones, lr=0.1), [7], []),
        (lambda: table.evict(int64s(1, 999)), [], [1]),
        (table.compact, [], []),
        (lambda: table.lookup(int64s(1, 2)), [], []),
        (table.enforce_budget, [], []),
    ):
        since = table.seq
        change()
        assert told(table, since)[:2] == (rows, lost)


def test_reasons_are_told():
    features = (FeatureRule("f", ttl_s=10),)
    config = TableConfig.of("t", 2, features=features, budget=Budget(max_rows=3), sweep_rows=0)
    table = tracked(config)
    table.train_lookup(int64s(1, 2), time=0)
    table.train_lookup(int64s(3, 4, 5), time=5)
    table.enforce_budget()
    table.evict(int64s(3))
    table.expire(15)
    assert told(table, 0) == ([], [1, 2, 3, 4, 5], [BUDGET, BUDGET, DELETED, EXPIRED, EXPIRED])


def test_an_id_that_went_and_came_back_has_a_row_and_no_tombstone():
    table = tracked(ids=[1, 2])
    since = table.seq
    table.evict(int64s(1, 2))
    table.assign(int64s(2), np.ones((1, 2), np.float32))
    assert told(table, since) == ([2], [1], [DELETED])


def test_no_change_is_told_as_none_and_still_moves_on():
    table = tracked(ids=[1])
    since = table.seq
    with table.changes(since) as changes:
        assert (changes.seq, changes.num_rows, len(changes.tombstones.ids)) == (since, 0, 0)
        assert changes.rows().ids.size == 0
    table.enforce_budget()
    with table.changes(since) as changes:
        assert (changes.since, changes.seq, changes.num_rows) == (since, since + 1, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(np.arange(500), np.full((500, 2), 9, np.float32)),
        lambda t: t.evict(np.arange(0, 400, 2)),
        lambda t: (t.evict(np.arange(1, 400, 2)), t.compact()),
    ],
    ids=["assignment", "eviction", "compaction"],
)
def test_what_happens_after_the_changes_were_taken_is_not_in_them(change):
    table = tracked(ids=range(300))
    since = table.seq
    table.assign(np.arange(0, 300, 3), np.ones((100, 2), np.float32))
    expected, before = {n: column[::3] for n, column in columns(table).items()}, dump(table)
    with table.changes(since) as changes, table.cut() as snapshot:
        blocks = changes.blocks(rows_per_block=30)
        read = copied([next(blocks)])
        change(table)
        np.testing.assert_equal(ordered(read + copied(blocks)), expected)
        assert dump(snapshot) == before


def test_changes_read_while_training_goes_on_are_followed():
    table, done = tracked(TableConfig.of("t", 2)), threading.Event()

    def train():
        rng = np.random.default_rng(0)
        for _ in range(300):
            ids = rng.integers(0, 3000, 200)
            table.apply_gradients(table.train_lookup(ids).rows, np.ones((200, 2), np.float32), lr=1)
            table.evict(rng.integers(0, 3000, 50))
            table.compact(100)
        done.set()

    follower, trainer = Follower(), threading.Thread(target=train)
    trainer.start()
    while not done.is_set():
        follower.follow(table)
        table.forget_changes(follower.cursor)
    trainer.join()
    follower.follow(table)
    assert follower.rows == held_by(table)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        (0, "changes after 0: those up to 2 are not known"),
        (1, "take a snapshot"),
        (4, "has come to 3; the cursor is another table's"),
        (-1, "since"),
    ],
)
def test_a_cursor_that_the_table_does_not_know_is_refused(since, words):
    table = CollisionlessTable(CONFIG)
    table.evict(int64s(1))
    table.evict(int64s(2))
    table.track_changes()
    table.evict(int64s(3))
    with pytest.raises(InputError, match=words):
        table.changes(since)
    table.changes(2).close()


def test_changes_must_be_tracked_to_be_told():
    table = CollisionlessTable(CONFIG)
    with pytest.raises(InputError, match="table 't': .* not tracked; call track_changes"):
        table.changes(0)
    table.track_changes()
    table.changes(0).close()
    table.track_changes(False)
    with pytest.raises(InputError, match="not tracked"):
        table.changes(0)


def test_forgotten_changes_are_refused_and_their_memory_given_back():
    table = tracked(ids=range(5000))
    table.evict(np.arange(5000))
    held = table.stats().bytes
    table.forget_changes(table.seq)
    assert table.stats().bytes <= held - 5000 * 16
    with pytest.raises(InputError, match="are not known"):
        table.changes(table.seq - 1)
    assert told(table, table.seq) == ([], [], [])


def test_a_tracked_table_is_not_restored_into():
    table = tracked()
    block = next(tracked(ids=[1]).rows())
    with pytest.raises(InputError, match="tracked"):
        table.restore_rows(block)
    facts = {"counters": dict.fromkeys(("admitted", "filtered", "expired", "evicted", "deleted",
                                        "dropped_gradients"), 0)}  # fmt: skip
    admission = {"ids": int64s(), "counts": np.zeros(0, np.uint32)}
    admission["last_seen"] = np.zeros(0, np.uint32)
    with pytest.raises(InputError, match="tracked"):
        table.restore_meta(seq=5, clock_s=0, admission=admission, **facts)
    assert table.seq == 0


def test_rows_behind_a_row_map_are_followed_by_their_own_ids():
    table = MappedTable(TableConfig.of("t", 2, row_map=Bloom(rows=10)))
    table.track_changes()
    table.train_lookup(np.arange(100))
    rows, lost, _ = told(table, 0)
    assert rows == list(range(10)) and lost == []


def test_changes_are_read_once_and_not_after_they_are_closed():
    table = tracked(ids=[1, 2])
    with table.changes(0) as changes:
        changes.rows()
        with pytest.raises(InputError, match="read before"):
            changes.rows()
    with pytest.raises(InputError, match="closed"):
        changes.blocks()


def test_changes_that_do_not_fit_are_refused_whole():
    table = tracked(ids=[1, 2])
    before = dump(table)
    block = next(tracked(ids=[1]).rows())
    cut = table.cut()
    rest = {"clock_s": 0, "counters": cut.counters, "admission": cut.admission}
    lost = Evicted(int64s(2), np.zeros(1, np.uint8))
    none = Evicted(int64s(), np.zeros(0, np.uint8))
    for rows, gone, seq, words in (
        (block._replace(weights=block.weights[:, :1]), none, 9, "weights"),
        (block._replace(feature=block.feature + np.uint16(1)), lost, 9, "feature"),
        (block, lost, 0, "further"),
        (block, Evicted(int64s(2, 3), lost.reasons), 9, "reasons"),
    ):
        with pytest.raises(InputError, match=words):
            table.apply_changes(rows, gone, seq=seq, **rest)
    cut.close()
    assert dump(table) == before
