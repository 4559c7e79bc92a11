"""Past its budget a table evicts the least recently or least often used rows, exactly those."""

import numpy as np
import pytest

from recsys_embed import Budget, TableConfig
from tests.table.making import all_ids, int64s, row


def config_of(max_rows, policy="lru"):
    return TableConfig.of("t", 2, budget=Budget(max_rows=max_rows, policy=policy), sweep_rows=0)


def test_the_least_recently_used_go_first(new_table):
    table = new_table(config_of(4))
    for batch in ([1, 2], [3], [4], [1], [5]):
        table.train_lookup(int64s(*batch))
    evicted = table.enforce_budget()
    assert evicted.ids.tolist() == [2]
    assert evicted.reasons.tolist() == [2]
    assert all_ids(table) == [1, 3, 4, 5]
    assert table.stats().evicted == 1


def test_the_least_frequently_used_go_first(new_table):
    table = new_table(config_of(3, "lfu"))
    for batch in ([1, 1, 1], [2, 2], [3, 3, 3, 3], [4]):
        table.train_lookup(int64s(*batch))
    assert table.enforce_budget().ids.tolist() == [4]
    table.train_lookup(int64s(5, 5, 5, 5, 5))
    assert table.enforce_budget().ids.tolist() == [2]
    assert all_ids(table) == [1, 3, 5]


def test_equally_frequent_rows_go_by_age_and_then_by_id(new_table):
    table = new_table(config_of(3, "lfu"))
    table.train_lookup(int64s(9, -9, 8))
    table.train_lookup(int64s(1, 2))
    assert sorted(table.enforce_budget().ids.tolist()) == [-9, 8]
    assert all_ids(table) == [1, 2, 9]


def test_equally_recent_rows_go_by_id(new_table):
    table = new_table(config_of(2))
    table.train_lookup(int64s(2**40, -3, 0, -(2**63)))
    assert sorted(table.enforce_budget().ids.tolist()) == [-(2**63), -3]


@pytest.mark.parametrize("policy", ["lru", "lfu"])
def test_a_sixteenth_of_the_budget_is_freed_ahead(new_table, policy):
    table = new_table(config_of(64, policy))
    table.train_lookup(np.arange(65))
    assert sorted(table.enforce_budget().ids.tolist()) == [0, 1, 2, 3, 4]
    assert len(table) == 64 - 64 // 16


def test_a_table_within_its_budget_keeps_its_rows(new_table):
    table = new_table(config_of(64))
    table.train_lookup(np.arange(64))
    assert len(table.enforce_budget().ids) == 0
    assert len(table) == 64


@pytest.mark.parametrize("policy", ["lru", "lfu"])
def test_training_enforces_the_budget_and_reports_whom(new_table, policy, rng):
    table, gone, seen = new_table(config_of(50, policy)), set(), set()
    for _ in range(20):
        batch = rng.integers(0, 500, 30)
        held = set(all_ids(table))
        evicted = table.train_lookup(batch).evicted
        assert (evicted.reasons == 2).all()
        assert set(evicted.ids.tolist()) <= held
        assert len(table) <= 50 + len(set(batch.tolist()))
        gone |= set(evicted.ids.tolist())
        seen |= set(batch.tolist())
    assert set(all_ids(table)) | gone == seen
    assert gone


def test_evaluation_makes_no_row_younger_or_more_frequent(new_table):
    for policy in ("lru", "lfu"):
        table = new_table(config_of(2, policy))
        for i in (1, 2, 3):
            table.train_lookup(int64s(i))
        for _ in range(5):
            table.lookup(int64s(1))
        assert table.enforce_budget().ids.tolist() == [1]


def test_a_budget_of_bytes_holds_as_many_rows_as_fit(new_table):
    config = TableConfig.of("t", 2, budget=Budget(max_bytes=10_000))
    table = new_table(config)
    fit = 10_000 // config.row_bytes
    table.train_lookup(np.arange(fit))
    assert len(table.enforce_budget().ids) == 0
    table.train_lookup(int64s(-1))
    assert len(table.enforce_budget().ids) == 1 + fit // 16


def test_a_budget_of_one_row_keeps_the_latest(new_table):
    table = new_table(config_of(1))
    for i in range(5):
        table.train_lookup(int64s(i))
        table.enforce_budget()
        assert all_ids(table) == [i]


def test_an_evicted_row_counts_anew(new_table):
    table = new_table(config_of(1, "lfu"))
    table.train_lookup(int64s(1, 1))
    table.train_lookup(int64s(2, 2, 2))
    table.enforce_budget()
    table.train_lookup(int64s(1))
    assert row(table, 1)["count"] == 1
