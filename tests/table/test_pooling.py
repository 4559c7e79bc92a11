"""Bags become sums or means, feature-major bags side by side, empty bags zeros."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, TableConfig
from tests.table.making import int64s, ramp


def full_table(make, dim, num_rows=20):
    table = make(TableConfig.of("words", dim))
    table.assign(np.arange(num_rows), ramp(range(num_rows), dim))
    return table


def bag_by_bag(table, ids, offsets, mode, weights, num_features):
    """Adds up each bag in float64 from unpooled lookups."""
    values = table.lookup(ids).astype(np.float64)
    if weights is not None:
        values *= weights[:, None]
    bags = [values[a:b] for a, b in zip(offsets, offsets[1:], strict=False)]
    sums = [b.mean(0) if mode == "mean" and len(b) else b.sum(0) for b in bags]
    num_bags = len(bags) // num_features
    side_by_side = np.array(sums).reshape(num_features, num_bags, table.config.dim)
    return side_by_side.transpose(1, 0, 2).reshape(num_bags, -1)


@given(st.data())
def test_pooling_equals_adding_up_bag_by_bag(data):
    dim = data.draw(st.sampled_from([1, 3, 4, 8, 16, 17, 64, 100]), "dim")
    num_features = data.draw(st.integers(1, 3), "features")
    num_bags = data.draw(st.integers(1, 5), "bags")
    lengths = st.lists(
        st.integers(0, 4), min_size=num_features * num_bags, max_size=num_features * num_bags
    )
    offsets = np.concatenate([[0], np.cumsum(data.draw(lengths, "lengths"))]).astype(np.int64)
    n = int(offsets[-1])
    ids = np.array(data.draw(st.lists(st.integers(-3, 25), min_size=n, max_size=n)), np.int64)
    mode = data.draw(st.sampled_from(["sum", "mean"]), "mode")
    weighted = data.draw(st.booleans(), "weighted")
    weights = np.linspace(-1, 2, n).astype(np.float32) if weighted else None
    table = full_table(CollisionlessTable, dim)
    pooled = table.lookup_pooled(
        ids, offsets, mode=mode, weights=weights, num_features=num_features
    )
    expected = bag_by_bag(table, ids, offsets, mode, weights, num_features)
    # four float32 terms up to 2000 * 2 lose at most a few times 2^-24 of the largest
    np.testing.assert_allclose(pooled, expected, rtol=1e-6, atol=2e-3)


def test_features_lie_side_by_side(new_table):
    table = full_table(new_table, 2)
    pooled = table.lookup_pooled(int64s(1, 2, 3, 4), int64s(0, 1, 2, 3, 4), num_features=2)
    np.testing.assert_array_equal(pooled, [[2, 3, 6, 7], [4, 5, 8, 9]])


def test_an_empty_bag_is_zeros_whatever_absent_ids_read(new_table):
    table = full_table(new_table, 2)
    for mode in ("sum", "mean"):
        pooled = table.lookup_pooled(
            int64s(99), int64s(0, 0, 1, 1), mode=mode, missing=np.array([5, 6], np.float32)
        )
        np.testing.assert_array_equal(pooled, [[0, 0], [5, 6], [0, 0]])


def test_no_bags_give_no_rows(new_table):
    table = full_table(new_table, 2)
    assert table.lookup_pooled(int64s(), int64s(0)).shape == (0, 2)
    assert table.lookup_pooled(int64s(), int64s(0), num_features=3).shape == (0, 6)


def test_a_weighted_mean_divides_by_the_number_of_ids(new_table):
    table = full_table(new_table, 2)
    weights = np.array([3, 5], np.float32)
    pooled = table.lookup_pooled(int64s(1, 2), int64s(0, 2), mode="mean", weights=weights)
    np.testing.assert_array_equal(pooled, [[(3 * 2 + 5 * 4) / 2, (3 * 3 + 5 * 5) / 2]])


def test_a_wider_array_gets_the_bags_in_place_and_keeps_its_other_columns(new_table):
    table = full_table(new_table, 2)
    wide = np.full((2, 7), -1, np.float32)
    table.lookup_pooled(int64s(1, 2), int64s(0, 1, 2), out=wide[:, 3:5])
    np.testing.assert_array_equal(wide[:, 3:5], [[2, 3], [4, 5]])
    assert (np.delete(wide, [3, 4], axis=1) == -1).all()


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_pooled_training_reads_what_pooled_lookup_reads(new_table, mode, rng):
    table = full_table(new_table, 4)
    ids, offsets = rng.integers(0, 30, 12), int64s(0, 3, 3, 7, 12)
    weights = rng.standard_normal(12).astype(np.float32)
    read = table.lookup_pooled(ids, offsets, mode=mode, weights=weights, num_features=2)
    trained = table.train_lookup_pooled(
        ids, offsets, mode=mode, weights=weights, features=("default", 0)
    )
    # the admitted rows hold what absent ids read; the sums run in the same order
    np.testing.assert_array_equal(trained.values, read)
