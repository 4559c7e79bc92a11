"""A table grows without a declared capacity and loses no value and no optimizer state."""

import numpy as np
import pytest

from recsys_embed import SGD, Adam, CollisionlessTable, TableConfig
from tests.table.making import columns, ramp


@pytest.mark.parametrize("batches", [[50_000], [1] * 300, [7, 1000, 3, 40_000, 1]])
def test_growth_keeps_values_and_optimizer_state(batches, rng):
    table = CollisionlessTable(TableConfig.of("t", 2, optimizer=Adam()))
    ids = rng.integers(-(2**63), 2**63 - 1, sum(batches))
    assert len(set(ids.tolist())) == len(ids)
    values = ramp(ids, 2)
    for part in np.split(np.arange(len(ids)), np.cumsum(batches)[:-1]):
        table.assign(ids[part], values[part])
        table.apply_gradients(ids[part], np.zeros((len(part), 2), np.float32), lr=0.1)
    assert len(table) == len(ids)
    np.testing.assert_array_equal(table.lookup(ids, missing="error"), values)
    held = columns(table)
    np.testing.assert_array_equal(held["ids"], np.sort(ids))
    assert (held["state"][:, 0] == 1).all()


def test_growth_within_a_call_keeps_what_the_call_reads(rng):
    table = CollisionlessTable(TableConfig.of("t", 4))
    ids = rng.integers(0, 30_000, 100_000)
    read = table.train_lookup(ids).values
    np.testing.assert_array_equal(read, table.lookup(ids, missing="error"))
    assert len(table) == len(np.unique(ids))


@pytest.mark.parametrize("stride", [1, 2**8, 2**16, 2**32, 2**44])
def test_regular_ids_are_told_apart(stride):
    table = CollisionlessTable(TableConfig.of("t", 1, optimizer=SGD()))
    ids = np.arange(-5000, 5000) * stride
    table.assign(ids, ramp(ids, 1))
    np.testing.assert_array_equal(table.lookup(ids, missing="error"), ramp(ids, 1))
    assert not table.contains(ids + stride // 2 + 10_000 * stride).any()


def test_load_and_bytes_describe_the_table():
    table = CollisionlessTable(TableConfig.of("t", 4))
    sizes = []
    for n in range(1, 6):
        table.train_lookup(np.arange(10**n))
        stats = table.stats()
        assert stats.rows == 10**n
        assert 0 < stats.load <= 1
        assert 0 < stats.index_bytes <= stats.bytes
        assert stats.bytes >= 10**n * 4 * (4 + table.config.state_width)
        sizes.append(stats.bytes)
    assert sizes == sorted(sizes)
