"""What a row starts from depends on seed, table, id and position alone."""

import numpy as np
import pytest

from recsys_embed import (
    CollisionlessTable,
    Constant,
    Hashed,
    Normal,
    Segment,
    TableConfig,
    Uniform,
    initial_values,
    make_table,
)
from tests.table.making import EXTREME_IDS, int64s

CONFIG = TableConfig.of("items", 8)
IDS = int64s(*dict.fromkeys(EXTREME_IDS))


def config_of(initializer, dim=4, **rest):
    return TableConfig.of("items", dim, initializer=initializer, **rest)


def test_the_order_and_company_of_ids_do_not_matter(rng):
    together = initial_values(CONFIG, IDS)
    order = rng.permutation(len(IDS))
    np.testing.assert_array_equal(initial_values(CONFIG, IDS[order]), together[order])
    for k, i in enumerate(IDS):
        np.testing.assert_array_equal(initial_values(CONFIG, int64s(i))[0], together[k])


@pytest.mark.parametrize("splits", [1, 2, 7])
def test_how_training_splits_its_batches_does_not_matter(splits, rng):
    table = CollisionlessTable(CONFIG)
    for part in np.array_split(rng.permutation(IDS), splits):
        table.train_lookup(part)
    np.testing.assert_array_equal(table.lookup(IDS), initial_values(CONFIG, IDS))


def test_absent_ids_read_what_admitted_ones_hold():
    table = CollisionlessTable(CONFIG)
    absent = table.lookup(IDS)
    np.testing.assert_array_equal(table.train_lookup(IDS).values, absent)
    np.testing.assert_array_equal(table.lookup(IDS, missing="error"), absent)
    np.testing.assert_array_equal(table.initial_values(IDS), absent)


def test_different_ids_positions_seeds_and_tables_start_differently():
    base = initial_values(CONFIG, IDS)
    assert len(np.unique(base)) > 0.99 * base.size
    for other in (
        TableConfig.of("items", 8, seed=1),
        TableConfig.of("item", 8),
        TableConfig.of("items2", 8),
    ):
        assert not (initial_values(other, IDS) == base).all(1).any()


def test_optimizer_and_rules_do_not_matter():
    other = TableConfig.of("items", 8, sweep_rows=5, clock="wall")
    np.testing.assert_array_equal(initial_values(other, IDS), initial_values(CONFIG, IDS))


def test_no_ids_give_no_values():
    assert initial_values(CONFIG, int64s()).shape == (0, 8)


def test_uniform_values_fill_their_range_evenly():
    values = initial_values(config_of(Uniform(-2.0, 1.0)), np.arange(20_000)).ravel()
    assert values.min() >= -2.0 and values.max() < 1.0
    shares = np.histogram(values, bins=10, range=(-2.0, 1.0))[0] / values.size
    # 80,000 draws: a share of a tenth has a standard error of 0.0011
    np.testing.assert_allclose(shares, 0.1, atol=0.006)


def test_normal_values_have_their_moments():
    values = initial_values(config_of(Normal(3.0, 0.5)), np.arange(20_000)).ravel()
    unit = (values.astype(np.float64) - 3.0) / 0.5
    # five standard errors of 80,000 draws: sqrt(1/n), sqrt(2/n), sqrt(24/n)
    assert abs(unit.mean()) < 0.018
    assert abs(unit.var() - 1) < 0.025
    assert abs((unit**4).mean() - 3) < 0.09
    assert np.isfinite(values).all()


def test_neighbours_are_not_correlated():
    values = initial_values(config_of(Normal(0.0, 1.0), dim=2), np.arange(20_000))
    values = values.astype(np.float64)
    for a, b in ((values[:, 0], values[:, 1]), (values[1:, 0], values[:-1, 0])):
        assert abs(np.mean(a * b)) < 5 / np.sqrt(20_000)


def test_constants_and_empty_ranges_are_that_value():
    ids = np.arange(10)
    assert (initial_values(config_of(Constant(0.25)), ids) == np.float32(0.25)).all()
    assert (initial_values(config_of(Uniform(0.5, 0.5)), ids) == np.float32(0.5)).all()
    assert (initial_values(config_of(Normal(0.5, 0.0)), ids) == np.float32(0.5)).all()


def test_a_segment_takes_its_own_initializer():
    config = TableConfig("t", (Segment(1, initializer=Constant(7.0)), Segment(3)))
    values = initial_values(config, np.arange(100))
    assert (values[:, 0] == 7).all()
    assert (np.abs(values[:, 1:]) <= 0.05).all()


def test_ids_that_share_a_row_start_alike():
    config = TableConfig.of("t", 4, row_map=Hashed(rows=3))
    table = make_table(config)
    values = table.lookup(np.arange(100))
    assert len(np.unique(values, axis=0)) == 3
    np.testing.assert_array_equal(initial_values(config, np.arange(100)), values)
