"""The handle of a training lookup stays right whatever happens before its gradient comes."""

import numpy as np
import pytest

from recsys_embed import SGD, Adam, FeatureRule, TableConfig
from tests.table.making import int64s, row

CONFIG = TableConfig.of("t", 2, optimizer=SGD())


@pytest.fixture
def table(new_table):
    table = new_table(CONFIG)
    table.assign(np.arange(-50, 50), np.zeros((100, 2), np.float32))
    return table


def descend(table, handle, *gradients):
    grads = np.repeat(np.array(gradients, np.float32)[:, None], 2, axis=1)
    table.apply_gradients(handle, grads, lr=1.0)


def weights(table, *ids):
    return (-table.lookup(int64s(*ids), missing="zeros")[:, 0]).tolist()


def test_ids_evicted_in_between_lose_their_gradient_alone(table):
    handle = table.train_lookup(int64s(1, 2, 3, 2)).rows
    table.evict(int64s(2))
    descend(table, handle, 10, 20, 30, 40)
    assert weights(table, 1, 3) == [10, 30]
    assert 2 not in table
    assert table.stats().dropped_gradients == 2


def test_the_row_of_an_evicted_id_may_meanwhile_be_anothers(table):
    handle = table.train_lookup(int64s(1, 2, 3)).rows
    table.evict(int64s(2))
    table.assign(np.arange(1000, 1100), np.zeros((100, 2), np.float32))
    descend(table, handle, 10, 20, 30)
    assert weights(table, 1, 3) == [10, 30]
    assert set(weights(table, *range(1000, 1100))) == {0}


def test_rows_moved_by_compaction_and_growth_get_their_gradients(table):
    table.train_lookup(np.arange(1000, 30_000))
    handle = table.train_lookup(int64s(1, 2, 29_000)).rows
    table.assign(int64s(29_000), np.zeros((1, 2), np.float32))
    table.evict(np.arange(1000, 28_000))
    table.compact()
    table.train_lookup(np.arange(100_000, 140_000))
    descend(table, handle, 10, 20, 30)
    assert weights(table, 1, 2, 29_000) == [10, 20, 30]


def test_rows_moved_by_compaction_alone_get_their_gradients(new_table):
    table = new_table(CONFIG)
    table.assign(np.arange(1000), np.zeros((1000, 2), np.float32))
    table.evict(np.arange(100))
    handle = table.train_lookup(int64s(999, 998, 500)).rows
    table.compact()
    descend(table, handle, 10, 20, 30)
    assert weights(table, 999, 998, 500) == [10, 20, 30]


def test_occurrences_before_admission_stay_without_gradient_when_rows_are_sought_anew(new_table):
    rules = (FeatureRule("f", threshold=2),)
    table = new_table(TableConfig.of("t", 2, optimizer=SGD(), features=rules))
    table.assign(int64s(1, 2), np.zeros((2, 2), np.float32))
    handle = table.train_lookup(int64s(7, 1, 7, 7)).rows
    start = table.lookup(int64s(7))[0, 0]
    table.evict(int64s(2))
    descend(table, handle, 1000, 100, 10, 1)
    assert weights(table, 1) == [100]
    np.testing.assert_allclose(table.lookup(int64s(7))[0, 0], start - 11, rtol=1e-6)
    assert table.stats().dropped_gradients == 1


def test_an_id_that_came_back_gets_its_gradient_on_the_fresh_state(new_table):
    table = new_table(TableConfig.of("t", 2, optimizer=Adam()))
    handle = table.train_lookup(int64s(1, 2)).rows
    descend(table, handle, 1, 1)
    table.evict(int64s(1))
    table.train_lookup(int64s(1))
    descend(table, handle, 1, 1)
    assert [row(table, i)["state"][0] for i in (1, 2)] == [1, 2]


def test_a_handle_outlives_later_lookups(table):
    first = table.train_lookup(int64s(1, 2)).rows
    second = table.train_lookup(int64s(2, 3)).rows
    descend(table, second, 100, 200)
    descend(table, first, 1, 2)
    assert weights(table, 1, 2, 3) == [1, 102, 200]


def test_expiry_in_between_drops_the_gradient(new_table):
    config = TableConfig.of("t", 2, optimizer=SGD(), features=(FeatureRule("f", ttl_s=10),))
    table = new_table(config)
    handle = table.train_lookup(int64s(1), time=1000).rows
    table.expire(2000)
    descend(table, handle, 1)
    assert len(table) == 0
    assert table.stats().dropped_gradients == 1


def test_an_untouched_neighbour_of_an_evicted_id_keeps_its_bits(table):
    handle = table.train_lookup(int64s(1)).rows
    before = row(table, 4)
    table.evict(int64s(1))
    descend(table, handle, 7)
    np.testing.assert_equal(row(table, 4), before)
