"""Event time comes from the caller and never runs backwards; wall time is the machine's."""

import time

import numpy as np
import pytest

from recsys_embed import FeatureRule, TableConfig
from tests.table.making import int64s, row

TTL = 100


def config_of(clock="event", ttl_s=TTL):
    rules = (FeatureRule("f", ttl_s=ttl_s),)
    return TableConfig.of("t", 1, features=rules, clock=clock, sweep_rows=0)


@pytest.fixture
def table(new_table):
    return new_table(config_of())


def last_seen(table, i):
    return int(row(table, i)["last_seen"])


def clock_s(table):
    with table.cut() as cut:
        return int(cut.clock_s)


def test_time_that_goes_backwards_ages_nothing(table):
    table.train_lookup(int64s(1), time=1000)
    table.train_lookup(int64s(1, 2), time=500)
    assert clock_s(table) == 1000
    assert last_seen(table, 1) == 1000
    assert last_seen(table, 2) == 500
    assert table.expire().ids.tolist() == [2]


def test_the_same_time_again_expires_nothing(table):
    for _ in range(3):
        table.train_lookup(int64s(1), time=1000)
        assert len(table.expire().ids) == 0


def test_a_row_seen_after_the_asked_moment_is_young(table):
    table.train_lookup(int64s(1), time=1000)
    assert len(table.expire(10).ids) == 0


def test_time_zero_is_a_time(table):
    table.train_lookup(int64s(1), time=0)
    assert last_seen(table, 1) == 0
    assert len(table.expire(TTL - 1).ids) == 0
    assert table.expire(TTL).ids.tolist() == [1]


def test_the_last_second_of_the_clock_is_a_time(table):
    table.train_lookup(int64s(1), time=2**32 - 1)
    assert last_seen(table, 1) == 2**32 - 1


def test_expiring_at_a_moment_does_not_move_the_clock(table):
    table.train_lookup(int64s(1), time=1000)
    table.expire(1050)
    assert clock_s(table) == 1000


def test_without_time_to_live_no_time_is_needed(new_table):
    table = new_table(config_of(ttl_s=None))
    table.train_lookup(int64s(1))
    table.train_lookup(int64s(2), time=1000)
    table.train_lookup(int64s(3))
    assert [last_seen(table, i) for i in (1, 2, 3)] == [0, 1000, 1000]


def test_the_wall_clock_is_the_machines(new_table, monkeypatch):
    table = new_table(config_of("wall"))
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.9)
    table.train_lookup(int64s(1))
    assert last_seen(table, 1) == 1_700_000_000
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0 + TTL - 1)
    assert len(table.expire().ids) == 0
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0 + TTL)
    assert table.expire().ids.tolist() == [1]


def test_a_wall_clock_set_back_ages_nothing(new_table, monkeypatch):
    table = new_table(config_of("wall"))
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    table.train_lookup(int64s(1))
    monkeypatch.setattr(time, "time", lambda: 1_600_000_000.0)
    table.train_lookup(int64s(1))
    assert last_seen(table, 1) == 1_700_000_000
    assert len(table.expire().ids) == 0


def test_numpy_integers_are_times(table):
    table.train_lookup(int64s(1), time=np.int64(1000))
    assert last_seen(table, 1) == 1000
