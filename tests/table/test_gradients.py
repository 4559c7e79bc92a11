"""Gradients are summed over duplicates, addressed by index, dropped where there is no row."""

import numpy as np
import pytest

from recsys_embed import FTRL, SGD, Adam, FeatureRule, InputError, Segment, TableConfig
from tests.reference.pooling import spread
from tests.table.making import counters, dump, int64s, row

PLAIN = TableConfig.of("plain", 2, optimizer=SGD())


@pytest.fixture
def table(new_table):
    """Rows 0..9, all zeros, under plain gradient descent: weights become -lr * gradient."""
    table = new_table(PLAIN)
    table.assign(np.arange(10), np.zeros((10, 2), np.float32))
    return table


def test_gradients_of_duplicates_are_summed(table):
    grads = np.array([[1, 2], [10, 20], [100, 200]], np.float32)
    table.apply_gradients(int64s(3, 4, 3), grads, lr=1.0)
    np.testing.assert_array_equal(table.lookup(int64s(3, 4)), [[-101, -202], [-10, -20]])


def test_an_id_takes_one_step_however_often_it_occurs(new_table):
    together, unique = (new_table(TableConfig.of("t", 2, optimizer=Adam())) for _ in range(2))
    for table in (together, unique):
        table.assign(int64s(3, 4), np.ones((2, 2), np.float32))
    together.apply_gradients(int64s(3, 4, 3), np.ones((3, 2), np.float32), lr=0.1)
    unique.apply_gradients(int64s(4, 3), np.array([[1, 1], [2, 2]], np.float32), lr=0.1)
    assert row(together, 3)["state"][0] == 1
    assert dump(together) == dump(unique)


@pytest.mark.parametrize("absent_at", [0, 1, 2])
def test_an_absent_id_does_not_shift_the_gradients_of_the_others(table, absent_at):
    ids = np.insert(int64s(3, 4), absent_at, 99)
    grads = np.insert(np.array([[1, 2], [10, 20]], np.float32), absent_at, 7777, axis=0)
    table.apply_gradients(ids, grads, lr=1.0)
    np.testing.assert_array_equal(table.lookup(int64s(3, 4)), [[-1, -2], [-10, -20]])
    assert table.stats().dropped_gradients == 1
    assert 99 not in table


def test_rows_without_a_gradient_keep_every_bit(table):
    before = [row(table, i) for i in (0, 9)]
    table.apply_gradients(int64s(3), np.ones((1, 2), np.float32), lr=1.0)
    for i, old in zip((0, 9), before, strict=True):
        np.testing.assert_equal(row(table, i), old)


def test_gradients_may_be_columns_of_a_wider_array(table):
    wide = np.full((2, 9), np.nan, np.float32)
    wide[:, 4:6] = [[1, 2], [10, 20]]
    table.apply_gradients(int64s(3, 4), wide[:, 4:6], lr=1.0)
    np.testing.assert_array_equal(table.lookup(int64s(3, 4)), [[-1, -2], [-10, -20]])


@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_pooled_gradient_reaches_each_occurrence_of_the_bag(new_table, mode, weighted, rng):
    pooled, single = new_table(PLAIN), new_table(PLAIN)
    ids, offsets = rng.integers(0, 5, 12), int64s(0, 4, 4, 5, 12)
    weights = rng.choice([-1, 0.5, 2], 12).astype(np.float32) if weighted else None
    grads = rng.integers(-8, 8, (2, 4)).astype(np.float32)
    each = spread(grads, offsets, mode, weights, num_features=2)
    handle = pooled.train_lookup_pooled(ids, offsets, features=(0, 0)).rows
    pooled.apply_pooled_gradients(
        handle, offsets, grads, lr=0.5, mode=mode, weights=weights, num_features=2
    )
    single.apply_gradients(single.train_lookup(ids).rows, each, lr=0.5)
    # /7 in a mean is rounded; the order of additions is the same
    np.testing.assert_allclose(
        pooled.lookup(np.arange(5)), single.lookup(np.arange(5)), rtol=1e-6, atol=1e-6
    )


def test_a_pooled_gradient_may_be_columns_of_a_wider_array(table):
    wide = np.full((1, 6), np.nan, np.float32)
    wide[:, 1:5] = [[1, 2, 10, 20]]
    table.apply_pooled_gradients(
        int64s(3, 4), int64s(0, 1, 2), wide[:, 1:5], lr=1.0, num_features=2
    )
    np.testing.assert_array_equal(table.lookup(int64s(3, 4)), [[-1, -2], [-10, -20]])


def test_occurrences_before_the_admitting_one_get_no_gradient(new_table):
    config = TableConfig.of("t", 2, optimizer=SGD(), features=(FeatureRule("f", threshold=3),))
    table = new_table(config)
    looked_up = table.train_lookup(int64s(5, 5, 5, 5), missing="zeros")
    start = table.lookup(int64s(5))
    grads = np.array([[1000, 0], [100, 0], [10, 0], [1, 0]], np.float32)
    table.apply_gradients(looked_up.rows, grads, lr=1.0)
    np.testing.assert_allclose(table.lookup(int64s(5)), start - [[11, 0]], rtol=1e-6)
    assert table.stats().dropped_gradients == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_gradient_that_is_not_finite_changes_nothing(table, bad, at):
    grads = np.ones((4, 2), np.float32)
    grads.flat[at] = bad
    before = dump(table), counters(table)
    with pytest.raises(InputError):
        table.apply_gradients(int64s(1, 2, 3, 99), grads, lr=1.0)
    with pytest.raises(InputError):
        table.apply_pooled_gradients(int64s(1, 2, 3, 99), int64s(0, 1, 2, 3, 4), grads, lr=1.0)
    assert (dump(table), counters(table)) == before


def test_each_segment_follows_its_own_learning_rate(new_table):
    config = TableConfig("t", (Segment(1, SGD()), Segment(2, SGD())))
    table = new_table(config)
    table.assign(int64s(1), np.zeros((1, 3), np.float32))
    table.apply_gradients(int64s(1), np.ones((1, 3), np.float32), lr=(1.0, 0.25))
    np.testing.assert_array_equal(table.lookup(int64s(1)), [[-1, -0.25, -0.25]])
    table.apply_gradients(int64s(1), np.ones((1, 3), np.float32), lr=1.0)
    np.testing.assert_array_equal(table.lookup(int64s(1)), [[-2, -1.25, -1.25]])


def test_l1_makes_exact_zeros(new_table):
    table = new_table(TableConfig.of("t", 2, optimizer=FTRL(l1=1.0)))
    table.assign(int64s(1), np.zeros((1, 2), np.float32))
    table.apply_gradients(int64s(1), np.array([[0.5, -0.5]], np.float32), lr=0.1)
    np.testing.assert_array_equal(table.lookup(int64s(1)), [[0, 0]])
    table.apply_gradients(int64s(1), np.array([[1, -1]], np.float32), lr=0.1)
    weights = table.lookup(int64s(1))[0]
    assert weights[0] < 0 < weights[1]  # descending: against the gradient, alike on both sides
    assert weights[0] == -weights[1]
