"""A hashed table shares its rows; a collisionless one does not; the rest is the same."""

import numpy as np
import pytest

from recsys_embed import SGD, Collisionless, ConfigError, Hashed, TableConfig
from tests.table.making import all_ids, columns, int64s

IDS = np.arange(-500, 500)


def config_of(row_map):
    return TableConfig.of("t", 2, optimizer=SGD(), row_map=row_map)


def test_a_hashed_table_never_holds_more_rows_than_it_has(new_table):
    table = new_table(config_of(Hashed(rows=16)))
    table.train_lookup(IDS)
    assert len(table) == 16
    assert all_ids(table) == list(range(16))


def test_a_collisionless_table_holds_a_row_for_each_id(new_table):
    table = new_table(config_of(Collisionless()))
    table.train_lookup(IDS)
    assert len(table) == len(IDS)


def test_ids_that_meet_share_all_there_is_to_a_row(new_table):
    row_map = Hashed(rows=4, seed=9)
    table = new_table(config_of(row_map))
    rows = row_map.map(IDS).rows[0]
    mates = IDS[rows == rows[0]]
    assert len(mates) > 1
    table.train_lookup(mates)
    assert len(table) == 1
    assert columns(table)["count"].tolist() == [len(mates)]
    table.assign(mates[:1], np.full((1, 2), 3, np.float32))
    assert (table.lookup(mates) == 3).all()
    grads = np.ones((len(mates), 2), np.float32)
    table.apply_gradients(mates, grads, lr=1.0)
    assert (table.lookup(mates) == 3 - len(mates)).all()
    assert table.contains(mates).all()
    assert int(mates[-1]) in table
    table.evict(mates[-1:])
    assert not table.contains(mates).any()


def test_hashing_spreads_ids_evenly():
    counts = np.bincount(Hashed(rows=10).map(np.arange(100_000)).rows[0], minlength=10)
    # binomial with deviation 95: five of them
    assert abs(counts - 10_000).max() < 475


def test_seeds_give_different_maps():
    one, other = (Hashed(1000, seed=s).map(IDS).rows[0] for s in (1, 2))
    assert np.count_nonzero(one == other) < 20


@pytest.mark.parametrize("row_map", [Collisionless(), Hashed(1), Hashed(2**32)])
def test_every_id_has_a_row_id(row_map):
    extreme = int64s(0, -1, -(2**63), 2**63 - 1)
    mapped = row_map.map(extreme).rows[0]
    assert mapped.dtype == np.int64
    if isinstance(row_map, Hashed):
        assert ((mapped >= 0) & (mapped < row_map.rows)).all()


@pytest.mark.parametrize("rows", [0, -1, 2**32 + 1])
def test_a_map_to_no_rows_is_refused(rows):
    with pytest.raises(ConfigError, match="rows"):
        Hashed(rows)
