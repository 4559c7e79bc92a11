"""Evicted ids are reported, come back as new, and leave their memory to others."""

import numpy as np
import pytest

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    CollisionlessTable,
    RowwiseAdagrad,
    TableConfig,
    initial_values,
)
from tests.table.making import all_ids, columns, int64s, row

OPTIMIZERS = [SGD(), Adagrad(initial_accumulator=0.1), RowwiseAdagrad(), Adam(), FTRL(l1=0.01)]
CONFIG = TableConfig.of("t", 3, optimizer=Adam())


@pytest.fixture
def table(new_table):
    table = new_table(CONFIG)
    table.train_lookup(np.arange(10))
    return table


def test_eviction_reports_whom_it_evicted_and_why(table):
    evicted = table.evict(int64s(3, 99, 4, 3))
    assert sorted(evicted.ids.tolist()) == [3, 4]
    assert evicted.reasons.tolist() == [3, 3]
    assert evicted.ids.dtype == np.int64 and evicted.reasons.dtype == np.uint8
    assert len(table) == 8
    assert table.stats().deleted == 2


def test_the_others_keep_every_bit(table):
    before = columns(table)
    table.evict(int64s(0, 5, 9))
    kept = ~np.isin(before["ids"], [0, 5, 9])
    np.testing.assert_equal(columns(table), {name: c[kept] for name, c in before.items()})


def test_evicting_nobody_changes_nobody(table):
    before = columns(table)
    assert len(table.evict(int64s()).ids) == len(table.evict(int64s(99)).ids) == 0
    np.testing.assert_equal(columns(table), before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_an_evicted_id_comes_back_in_its_initial_state(new_table, optimizer, rng):
    table = new_table(TableConfig.of("t", 5, optimizer=optimizer))
    ids = int64s(4, -4)
    handle = table.train_lookup(ids).rows
    fresh = columns(table)
    for _ in range(3):
        grads = rng.standard_normal((2, 5)).astype(np.float32)
        table.apply_gradients(handle, grads, lr=0.1)
    assert not (columns(table)["weights"] == fresh["weights"]).any()
    table.evict(ids)
    np.testing.assert_array_equal(table.lookup(ids), initial_values(table.config, ids))
    table.train_lookup(ids)
    again = columns(table)
    for name in ("ids", "weights", "state", "count", "feature"):
        np.testing.assert_array_equal(again[name], fresh[name], err_msg=name)


def test_a_row_reused_by_another_id_carries_nothing_over(new_table):
    table = new_table(CONFIG)
    for n in range(5):
        handle = table.train_lookup(int64s(n, n)).rows
        held = row(table, n)
        np.testing.assert_array_equal(held["weights"], initial_values(CONFIG, int64s(n))[0])
        assert (held["state"] == 0).all()
        assert held["count"] == 2
        table.apply_gradients(handle, np.ones((2, 3), np.float32), lr=0.5)
        table.evict(int64s(n))


@pytest.mark.parametrize("num_rows", [1, 100, 20_000])
def test_memory_is_reused_for_the_next_ids(num_rows):
    table = CollisionlessTable(CONFIG)
    table.train_lookup(np.arange(num_rows))
    before = table.stats()
    full = None
    for turn in range(1, 7):
        table.evict(int64s(*all_ids(table)))
        assert len(table) == 0
        table.train_lookup(np.arange(num_rows) + turn * num_rows)
        now = table.stats()
        assert now.rows == num_rows
        full = full or now  # the first turn makes room for the list of free rows
        assert now.bytes <= full.bytes
        assert now.index_bytes <= full.index_bytes
    assert full.bytes < 1.05 * before.bytes


def test_compaction_gives_memory_back_and_changes_no_row(rng):
    table = CollisionlessTable(CONFIG)
    ids = np.arange(300_000)
    table.train_lookup(ids)
    full = table.stats().bytes
    gone = rng.permutation(ids)[:200_000]
    table.evict(gone)
    before = columns(table)
    table.compact()
    np.testing.assert_equal(columns(table), before)
    np.testing.assert_array_equal(table.contains(ids), ~np.isin(ids, gone))
    # a third of the rows is left; what cannot be given back is index and the last, unfilled chunk
    assert table.stats().bytes < 0.7 * full


def test_bounded_compaction_moves_no_more_than_asked(rng):
    table = CollisionlessTable(CONFIG)
    table.train_lookup(np.arange(60_000))
    table.evict(rng.permutation(60_000)[:40_000])
    before = columns(table)
    moved = [table.compact(100) for _ in range(50)]
    assert max(moved) <= 100
    assert sum(moved) > 0
    np.testing.assert_equal(columns(table), before)
