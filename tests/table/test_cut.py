"""A cut shows one moment of a table, however much the table trains on meanwhile."""

import gc

import numpy as np
import pytest

from recsys_embed import Adam, CollisionlessTable, FeatureRule, InputError, TableConfig
from tests.table.making import columns, copied, dump, ordered

CONFIG = TableConfig.of("t", 3, optimizer=Adam(), features=(FeatureRule("f", ttl_s=100),))


def trained(new_table, num_rows=500):
    table = new_table(CONFIG)
    ids = np.arange(num_rows) * 13 - 1000
    handle = table.train_lookup(ids, time=1000).rows
    table.apply_gradients(handle, np.ones((num_rows, 3), np.float32), lr=0.1)
    return table, ids


CHANGES = {
    "gradients": lambda t, ids: t.apply_gradients(ids, np.ones((len(ids), 3), np.float32), lr=0.1),
    "occurrences": lambda t, ids: t.train_lookup(ids, time=1050),
    "new ids": lambda t, ids: t.train_lookup(np.arange(5000) + 10**6, time=1050),
    "assignment": lambda t, ids: t.assign(ids, np.zeros((len(ids), 3), np.float32)),
    "eviction": lambda t, ids: t.evict(ids[::2].copy()),
    "eviction of all": lambda t, ids: t.evict(ids),
    "expiry": lambda t, ids: t.expire(2000),
    "compaction": lambda t, ids: (t.evict(ids[::2].copy()), t.compact()),
    "compaction and new ids": lambda t, ids: (
        t.evict(ids[:250].copy()),
        t.compact(),
        t.train_lookup(np.arange(1000) + 10**6, time=1001),
    ),
    "return": lambda t, ids: (t.evict(ids), t.train_lookup(ids, time=1001)),
    "others in their place": lambda t, ids: (t.evict(ids), t.train_lookup(ids + 1, time=1001)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_happens_after_the_cut_is_not_in_it(new_table, change):
    table, ids = trained(new_table)
    before = dump(table)
    with table.cut() as cut:
        CHANGES[change](table, ids)
        assert dump(cut) == before
        assert cut.num_rows == len(ids)


@pytest.mark.parametrize("change", CHANGES)
def test_what_happens_while_the_cut_is_read_is_not_in_it(new_table, change):
    table, ids = trained(new_table)
    before = columns(table)
    with table.cut() as cut:
        blocks = cut.blocks(rows_per_block=100)
        read = copied([next(blocks)])
        CHANGES[change](table, ids)
        read += copied(blocks)
    np.testing.assert_equal(ordered(read), before)


def test_the_table_keeps_what_happened_during_the_cut(new_table):
    with_cut, ids = trained(new_table)
    without, _ = trained(new_table)
    with with_cut.cut() as cut:
        for change in CHANGES.values():
            change(with_cut, ids)
        cut.num_rows_in(0, 1)
    for change in CHANGES.values():
        change(without, ids)
    assert dump(with_cut) == dump(without)


@pytest.mark.parametrize("num_rows", [0, 1, 5, 500])
@pytest.mark.parametrize("parts", [1, 2, 7])
def test_parts_make_up_the_whole_without_overlap(new_table, num_rows, parts):
    table, ids = trained(new_table, num_rows)
    with table.cut() as cut:
        found = []
        for part in range(parts):
            blocks = copied(cut.blocks(part, parts, rows_per_block=16))
            assert all(len(b.ids) <= 16 for b in blocks)
            assert sum(len(b.ids) for b in blocks) == cut.num_rows_in(part, parts)
            found += [i for b in blocks for i in b.ids.tolist()]
    assert sorted(found) == sorted(ids.tolist())


def test_a_cut_carries_the_moment_of_the_table(new_table):
    table, ids = trained(new_table)
    with table.cut() as cut:
        assert cut.config == CONFIG
        assert cut.clock_s == 1000
        assert cut.seq >= columns(table)["seq"].max()
        assert cut.counters["admitted"] == len(ids)
        table.train_lookup(ids + 1, time=1100)
        assert cut.clock_s == 1000
        assert cut.counters["admitted"] == len(ids)


def test_cuts_follow_one_another(new_table):
    table, ids = trained(new_table)
    for _ in range(3):
        before = dump(table)
        with table.cut() as cut:
            table.apply_gradients(ids, np.ones((len(ids), 3), np.float32), lr=0.1)
            assert dump(cut) == before
    assert dump(table) != before


def test_a_part_is_read_once():
    """Rows that were read are no longer saved from change: a second reading would mix moments."""
    table, _ = trained(CollisionlessTable)
    with table.cut() as cut:
        assert sum(len(block.ids) for block in cut.blocks(0, 2)) == cut.num_rows_in(0, 2)
        for part, parts in ((0, 2), (0, 1), (0, 3)):
            with pytest.raises(InputError, match="before"):
                cut.blocks(part, parts)
        assert sum(len(block.ids) for block in cut.blocks(1, 2)) == cut.num_rows_in(1, 2)


def test_several_cuts_show_each_its_own_moment():
    table, ids = trained(CollisionlessTable)
    moments, cuts = [], []
    for _ in range(3):
        moments.append(dump(table))
        cuts.append(table.cut())
        table.apply_gradients(ids[::2].copy(), np.ones((250, 3), np.float32), lr=0.1)
        table.evict(ids[len(cuts) :: 50].copy())
    cuts[1].close()
    assert [dump(cuts[0]), dump(cuts[2])] == [moments[0], moments[2]]
    assert dump(table) not in moments


def test_a_closed_cut_is_read_no_more():
    table, _ = trained(CollisionlessTable)
    cut = table.cut()
    blocks = cut.blocks(rows_per_block=10)
    next(blocks)
    cut.close()
    cut.close()
    for read in (lambda: next(blocks), cut.blocks, cut.num_rows_in):
        with pytest.raises(InputError, match="closed"):
            read()


def test_a_cut_that_nobody_holds_ends_by_itself():
    table, _ = trained(CollisionlessTable)
    cut = table.cut()
    blocks = cut.blocks(rows_per_block=10)
    del cut
    assert sum(len(block.ids) for block in blocks) == 500
    del blocks
    gc.collect()
    table.cut().close()


@pytest.mark.parametrize(("part", "parts"), [(1, 1), (-1, 1), (0, 0), (0, -1), (5, 3)])
def test_a_part_that_is_none_is_refused(part, parts):
    table, _ = trained(CollisionlessTable)
    with table.cut() as cut:
        with pytest.raises(InputError, match="part"):
            cut.blocks(part, parts)
