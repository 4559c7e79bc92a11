"""A training lookup counts, admits, refreshes and reads; occurrences count singly, in order."""

import numpy as np
import pytest

from recsys_embed import SGD, FeatureRule, InputError, TableConfig, initial_values
from tests.table.making import dump, int64s, row

CONFIG = TableConfig.of("items", 3, features=(FeatureRule("a"), FeatureRule("b")))


@pytest.fixture
def table(new_table):
    return new_table(CONFIG)


def test_a_new_id_gets_a_row_that_holds_its_initial_values(table):
    ids = int64s(5, -6)
    looked_up = table.train_lookup(ids)
    np.testing.assert_array_equal(looked_up.values, initial_values(CONFIG, ids))
    np.testing.assert_array_equal(table.lookup(ids, missing="error"), looked_up.values)
    assert len(looked_up.evicted.ids) == len(looked_up.evicted.reasons) == 0


def test_count_is_the_number_of_occurrences(table):
    table.train_lookup(int64s(5, 6, 5, 5))
    table.train_lookup(int64s(6))
    assert row(table, 5)["count"] == 3
    assert row(table, 6)["count"] == 2


def test_a_row_belongs_to_the_feature_that_admitted_it(table):
    table.train_lookup(int64s(5), feature="b")
    table.train_lookup(int64s(5, 6), feature=0)
    assert row(table, 5)["feature"] == 1
    assert row(table, 6)["feature"] == 0


def test_pooled_occurrences_belong_to_the_feature_of_their_bag(table):
    table.train_lookup_pooled(int64s(1, 2, 3), int64s(0, 1, 1, 2, 3), features=("b", "a"))
    assert [row(table, i)["feature"] for i in (1, 2, 3)] == [1, 0, 0]


def test_occurrences_without_bags_may_belong_to_several_features(table):
    answer = table.train_lookup(
        int64s(1, 2, 3, 1), feature=("b", 0, "b"), feature_offsets=int64s(0, 1, 3, 4)
    )
    assert [row(table, i)["feature"] for i in (1, 2, 3)] == [1, 0, 0]
    assert row(table, 1)["count"] == 2
    np.testing.assert_array_equal(answer.values, table.lookup(int64s(1, 2, 3, 1)))


def test_the_same_feature_may_be_asked_for_twice(table):
    looked_up = table.train_lookup_pooled(int64s(1, 1), int64s(0, 1, 2), features=("b", "b"))
    assert looked_up.values.shape == (1, 6)
    assert row(table, 1)["count"] == 2


def test_seq_grows_with_every_call_that_touches_the_row(table):
    seqs = []
    for _ in range(3):
        looked_up = table.train_lookup(int64s(5))
        seqs.append(row(table, 5)["seq"])
        table.apply_gradients(looked_up.rows, np.ones((1, 3), np.float32), lr=0.1)
        seqs.append(row(table, 5)["seq"])
    assert seqs == sorted(seqs)
    assert len(set(seqs[::2])) == 3


def test_the_tables_seq_counts_its_writing_calls(table):
    grads = np.zeros((1, 3), np.float32)
    for call in (
        lambda: table.train_lookup(int64s(5)),
        lambda: table.apply_gradients(int64s(5), grads, lr=0.1),
        lambda: table.assign(int64s(5), grads),
        lambda: table.evict(int64s(5)),
        lambda: table.expire(0),
        lambda: table.enforce_budget(),
    ):
        before = table.seq
        call()
        assert table.seq == before + 1
    table.lookup(int64s(5))
    table.compact()
    assert table.seq == before + 1


def test_an_untouched_row_keeps_its_seq(table):
    table.train_lookup(int64s(5))
    seq = row(table, 5)["seq"]
    table.apply_gradients(int64s(6), np.ones((1, 3), np.float32), lr=0.1)
    table.train_lookup(int64s(6))
    assert row(table, 5)["seq"] == seq


def test_values_are_those_before_the_gradient(new_table):
    table = new_table(TableConfig.of("t", 3, optimizer=SGD()))
    looked_up = table.train_lookup(int64s(5))
    before = np.array(looked_up.values)
    table.apply_gradients(looked_up.rows, np.ones((1, 3), np.float32), lr=1.0)
    np.testing.assert_array_equal(looked_up.values, before)
    np.testing.assert_allclose(table.lookup(int64s(5)), before - 1, rtol=1e-6)


def test_an_empty_batch_changes_no_row(table):
    table.train_lookup(int64s(5))
    before = dump(table)
    looked_up = table.train_lookup(int64s())
    assert looked_up.values.shape == (0, 3)
    table.apply_gradients(looked_up.rows, np.zeros((0, 3), np.float32), lr=0.1)
    pooled = table.train_lookup_pooled(int64s(), int64s(0, 0, 0))
    np.testing.assert_array_equal(pooled.values, np.zeros((2, 3)))
    table.apply_pooled_gradients(pooled.rows, int64s(0, 0, 0), np.ones((2, 3), np.float32), lr=0.1)
    assert dump(table) == before


def test_training_never_asks_for_an_error_on_absent_ids(table):
    with pytest.raises(InputError, match="error"):
        table.train_lookup(int64s(5), missing="error")
    assert len(table) == 0


def test_out_is_written(table):
    out = np.zeros((2, 3), np.float32)
    looked_up = table.train_lookup(int64s(5, 6), out=out)
    np.testing.assert_array_equal(out, table.lookup(int64s(5, 6)))
    assert np.shares_memory(looked_up.values, out)
