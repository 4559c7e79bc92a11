"""Probabilistic admission keeps no counts: each occurrence has its chance, and always the same."""

import numpy as np
import pytest

from recsys_embed import Admission, CollisionlessTable, TableConfig
from tests.table.making import int64s


def table_of(probability, seed=0):
    admission = Admission("probabilistic", probability=probability)
    return CollisionlessTable(TableConfig.of("t", 1, admission=admission, seed=seed))


def assert_rate(successes, trials, probability):
    """Within five standard errors: one run in two million would fail, and ours are all alike."""
    error = np.sqrt(probability * (1 - probability) / trials)
    assert abs(successes / trials - probability) < 5 * error


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
def test_the_share_admitted_is_the_probability(probability):
    table = table_of(probability)
    table.train_lookup(np.arange(20_000))
    assert_rate(len(table), 20_000, probability)
    assert table.stats().filtered == 20_000 - len(table)


def test_every_occurrence_has_a_chance_of_its_own():
    across, within = table_of(0.3), table_of(0.3)
    for _ in range(3):
        across.train_lookup(np.arange(10_000))
    within.train_lookup(np.tile(np.arange(10_000), 3))
    for table in (across, within):
        assert_rate(len(table), 10_000, 1 - 0.7**3)


def test_the_same_calls_admit_the_same_ids():
    once, again = table_of(0.3), table_of(0.3)
    for table in (once, again):
        for start in (0, 500):
            table.train_lookup(np.arange(start, start + 1000))
    ids = np.arange(1500)
    np.testing.assert_array_equal(once.contains(ids), again.contains(ids))


def test_another_seed_admits_other_ids():
    ids = np.arange(10_000)
    admitted = []
    for seed in (1, 2):
        table = table_of(0.5, seed)
        table.train_lookup(ids)
        admitted.append(table.contains(ids))
    assert_rate(np.count_nonzero(admitted[0] == admitted[1]), 10_000, 0.5)


def test_probability_one_admits_at_once():
    table = table_of(1.0)
    table.train_lookup(np.arange(1000))
    assert len(table) == 1000


def test_a_present_id_is_never_filtered():
    table = table_of(1e-9)
    table.assign(int64s(1), np.ones((1, 1), np.float32))
    table.train_lookup(np.full(1000, 1))
    assert table.stats().filtered == 0
