"""An id is admitted at its n-th occurrence; occurrences inside a batch count singly, in order."""

import numpy as np
import pytest

from recsys_embed import Admission, Budget, FeatureRule, TableConfig, initial_values
from tests.table.making import dump, int64s, row

A, B = 11, -22


def config_of(*thresholds, **rest):
    rules = tuple(FeatureRule(f"f{n}", threshold=t) for n, t in enumerate(thresholds))
    return TableConfig.of("t", 2, features=rules, **rest)


def held(table):
    return table.contains(int64s(A, B)).tolist()


def test_threshold_three_admits_at_the_third_occurrence(new_table):
    """A occurs twice a batch and B once: A earns its row in the second batch, B in the third."""
    table = new_table(config_of(3))
    batch = int64s(A, B, A)
    states = []
    for _ in range(3):
        table.train_lookup(batch)
        states.append(held(table))
    assert states == [[False, False], [True, False], [True, True]]


@pytest.mark.parametrize("threshold", [0, 1])
def test_thresholds_zero_and_one_admit_at_once(new_table, threshold):
    table = new_table(config_of(threshold))
    table.train_lookup(int64s(A))
    assert held(table) == [True, False]
    assert table.stats().filtered == 0


@pytest.mark.parametrize("threshold", [2, 3, 7])
def test_no_occurrence_before_the_threshold_earns_a_row(new_table, threshold):
    table = new_table(config_of(threshold))
    for n in range(1, threshold + 1):
        table.train_lookup(int64s(A))
        assert held(table)[0] == (n == threshold)


def test_duplicates_inside_a_batch_reach_the_threshold_within_it(new_table):
    table = new_table(config_of(3))
    looked_up = table.train_lookup(int64s(A, B, A, A, A), missing="zeros")
    assert held(table) == [True, False]
    start = initial_values(table.config, int64s(A))[0]
    zero = np.zeros(2)
    np.testing.assert_array_equal(looked_up.values, [zero, zero, zero, start, start])


def test_filtered_and_admitted_count_what_happened(new_table):
    table = new_table(config_of(3))
    table.train_lookup(int64s(A, B, A, A, A))
    stats = table.stats()
    assert (stats.filtered, stats.admitted, stats.rows) == (3, 1, 1)


def test_a_present_id_is_never_filtered(new_table):
    table = new_table(config_of(1, 100))
    table.train_lookup(int64s(A), feature="f0")
    table.assign(int64s(B), np.zeros((1, 2), np.float32))
    looked_up = table.train_lookup(int64s(A, B), feature="f1", missing="zeros")
    np.testing.assert_array_equal(looked_up.values, table.lookup(int64s(A, B)))
    assert table.stats().filtered == 0
    assert row(table, A)["count"] == 2


def test_each_feature_has_its_own_threshold_over_one_count(new_table):
    table = new_table(config_of(2, 4))
    table.train_lookup(int64s(A, B), feature="f1")
    assert held(table) == [False, False]
    table.train_lookup(int64s(A), feature="f0")
    assert held(table) == [True, False]
    table.train_lookup(int64s(B, B), feature="f1")
    assert held(table) == [True, False]
    table.train_lookup(int64s(B), feature="f1")
    assert held(table) == [True, True]


def test_the_features_of_pooled_bags_have_their_own_thresholds(new_table):
    table = new_table(config_of(1, 3))
    table.train_lookup_pooled(int64s(B, B, A), int64s(0, 2, 3), features=("f1", "f0"))
    assert held(table) == [True, False]


def test_assign_bypasses_admission(new_table):
    table = new_table(config_of(100))
    table.assign(int64s(A), np.ones((1, 2), np.float32))
    assert held(table) == [True, False]


def test_restored_rows_bypass_admission_and_waiting_ids_go_on_waiting(new_table):
    table = new_table(config_of(3))
    table.train_lookup(int64s(A, A, A, B, B))
    again = new_table(table.config)
    with table.cut() as cut:
        for block in cut.blocks():
            again.restore_rows(block)
        again.restore_meta(
            seq=cut.seq, clock_s=cut.clock_s, counters=cut.counters, admission=cut.admission
        )
    assert held(again) == [True, False]
    again.train_lookup(int64s(B))
    assert held(again) == [True, True]


def test_an_evicted_id_waits_for_the_threshold_again(new_table):
    table = new_table(config_of(3))
    table.train_lookup(int64s(A, A, A))
    table.evict(int64s(A))
    table.train_lookup(int64s(A, A))
    assert held(table) == [False, False]
    table.train_lookup(int64s(A))
    assert held(table) == [True, False]


@pytest.mark.parametrize("lost_by", ["expiry", "budget", "deletion"])
def test_however_a_row_is_lost_its_id_waits_again(new_table, lost_by):
    rules = (FeatureRule("f0", threshold=3, ttl_s=10),)
    config = TableConfig.of("t", 2, features=rules, budget=Budget(max_rows=1), sweep_rows=0)
    table = new_table(config)
    table.train_lookup(int64s(A, A, A), time=1000)
    if lost_by == "expiry":
        table.expire(1010)
    elif lost_by == "budget":
        table.train_lookup(int64s(B, B, B), time=1000)
        table.enforce_budget()
    else:
        table.evict(int64s(A))
    assert A not in table
    table.train_lookup(int64s(A, A), time=1000)
    assert A not in table
    table.train_lookup(int64s(A), time=1000)
    assert A in table


def test_an_admission_at_once_uses_up_what_was_counted(new_table):
    table = new_table(config_of(3, 1))
    table.train_lookup(int64s(A, A), feature="f0")
    table.train_lookup(int64s(A), feature="f1")
    assert row(table, A)["count"] == 3
    table.evict(int64s(A))
    table.train_lookup(int64s(A), feature="f0")
    assert held(table) == [False, False]


@pytest.mark.parametrize("kind", ["exact", "sketch"])
def test_evaluation_is_no_occurrence(new_table, kind):
    table = new_table(config_of(2, admission=Admission(kind)))
    table.train_lookup(int64s(A))
    before = dump(table)
    for _ in range(3):
        table.lookup(int64s(A))
        table.lookup_pooled(int64s(A, A), int64s(0, 2))
        table.contains(int64s(A))
    assert dump(table) == before
    table.train_lookup(int64s(B))
    assert held(table) == [False, False]
    table.train_lookup(int64s(A))
    assert held(table) == [True, False]
