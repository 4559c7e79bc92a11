"""A row expires once nothing trained on it for its feature's time to live: age >= ttl."""

import numpy as np
import pytest

from recsys_embed import FeatureRule, TableConfig
from tests.table.making import all_ids, dump, int64s, row

DAY = 86_400
START = 1_700_000_000


def config_of(**rest):
    rules = (
        FeatureRule("five", ttl_s=5 * DAY),
        FeatureRule("six", ttl_s=6 * DAY),
        FeatureRule("ever"),
    )
    return TableConfig.of("t", 2, features=rules, **{"sweep_rows": 0, **rest})


@pytest.fixture
def table(new_table):
    """Ids 5, 6 and 7 of the three features, all seen at START; nothing is swept by itself."""
    table = new_table(config_of())
    for i, feature in ((5, "five"), (6, "six"), (7, "ever")):
        table.train_lookup(int64s(i), feature=feature, time=START)
    return table


def held(table):
    return [i for i in (5, 6, 7) if i in table]


def test_each_feature_has_its_own_time_to_live(table):
    evicted = table.expire(START + 5 * DAY + 60)
    assert evicted.ids.tolist() == [5]
    assert evicted.reasons.tolist() == [1]
    assert held(table) == [6, 7]
    assert table.expire(START + 100 * DAY).ids.tolist() == [6]
    assert held(table) == [7]
    assert table.stats().expired == 2


def test_a_row_expires_at_exactly_its_time_to_live(table):
    assert table.expire(START + 5 * DAY - 1).ids.tolist() == []
    assert table.expire(START + 5 * DAY).ids.tolist() == [5]


def test_without_a_time_the_tables_own_clock_decides(table):
    assert len(table.expire().ids) == 0
    table.train_lookup(int64s(7), feature="ever", time=START + 5 * DAY)
    assert table.expire().ids.tolist() == [5]


def test_an_occurrence_in_training_renews_the_row(table):
    table.train_lookup(int64s(5), feature="five", time=START + DAY)
    assert table.expire(START + 6 * DAY - 1).ids.tolist() == []
    assert sorted(table.expire(START + 6 * DAY).ids.tolist()) == [5, 6]


def test_an_occurrence_in_evaluation_does_not(table):
    table.train_lookup(int64s(7), feature="ever", time=START + DAY)
    table.lookup(int64s(5))
    table.lookup_pooled(int64s(5), int64s(0, 1))
    assert table.expire(START + 5 * DAY).ids.tolist() == [5]


def test_a_gradient_is_no_occurrence(table):
    table.apply_gradients(int64s(5), np.ones((1, 2), np.float32), lr=0.1)
    assert table.expire(START + 5 * DAY).ids.tolist() == [5]


def test_a_table_without_time_to_live_keeps_its_rows(new_table):
    table = new_table(TableConfig.of("t", 2))
    table.train_lookup(np.arange(10), time=START)
    assert len(table.expire(2**32 - 1).ids) == 0
    assert len(table) == 10


def test_a_bounded_sweep_examines_so_many_rows_a_call_and_reaches_all(new_table):
    table = new_table(config_of())
    table.train_lookup(np.arange(100), time=START)
    gone = []
    for _ in range(100):
        evicted = table.expire(START + 5 * DAY, max_rows=10)
        assert len(evicted.ids) <= 10
        gone += evicted.ids.tolist()
    assert sorted(gone) == list(range(100))
    assert len(table) == 0


def test_training_sweeps_a_few_rows_a_call_and_reports_them(new_table):
    table = new_table(config_of(sweep_rows=10))
    table.train_lookup(np.arange(100), time=START)
    gone = []
    for _ in range(100):
        looked_up = table.train_lookup(int64s(1000), feature="ever", time=START + 5 * DAY)
        assert len(looked_up.evicted.ids) <= 10
        assert (looked_up.evicted.reasons == 1).all()
        gone += looked_up.evicted.ids.tolist()
    assert sorted(gone) == list(range(100))
    assert all_ids(table) == [1000]


def test_a_batch_never_meets_a_row_whose_time_is_over(table):
    evicted = table.train_lookup(int64s(5, 6, 5), feature="five", time=START + 5 * DAY).evicted
    assert evicted.ids.tolist() == [5] and evicted.reasons.tolist() == [1]
    assert row(table, 5)["count"] == 2
    assert row(table, 6)["count"] == 2
    assert table.stats().expired == 1


def test_a_late_batch_does_not_lose_the_rows_it_makes(table):
    table.train_lookup(int64s(7), feature="ever", time=START + 20 * DAY)
    answer = table.train_lookup(int64s(1, 1, 1), feature="five", time=START)
    assert len(answer.evicted.ids) == 0
    assert row(table, 1)["count"] == 3
    assert 1 in table.train_lookup(int64s(1), feature="five", time=START).evicted.ids


@pytest.mark.parametrize("sweep_rows", [1, 7, 1 << 20])
def test_training_does_not_depend_on_how_far_the_sweep_is(new_table, sweep_rows):
    tables = [new_table(config_of(sweep_rows=n)) for n in (0, sweep_rows)]
    gone = []
    for table in tables:
        rng, lost = np.random.default_rng(8), []
        for n in range(60):
            ids = rng.integers(0, 60, 12)
            feature = ("five", "six")[n % 2]
            answer = table.train_lookup(ids, feature=feature, time=START + n * DAY)
            grads = rng.standard_normal((12, 2)).astype(np.float32)
            table.apply_gradients(answer.rows, grads, lr=0.1)
            lost += answer.evicted.ids.tolist()
        gone.append(sorted(lost + table.expire().ids.tolist()))
    names = ("ids", "weights", "state", "last_seen", "count", "feature")
    held = [dump(table) for table in tables]
    assert [held[0][name] for name in names] == [held[1][name] for name in names]
    assert gone[0] == gone[1]


def test_a_sweep_of_zero_rows_expires_none(table):
    assert len(table.expire(2**32 - 1, max_rows=0).ids) == 0
    assert held(table) == [5, 6, 7]


def test_what_is_not_expired_keeps_every_bit(table):
    before = row(table, 7)
    table.expire(2**32 - 1)
    np.testing.assert_equal(row(table, 7), before)


def test_counts_of_waiting_ids_expire_after_the_longest_time_to_live(new_table):
    rules = FeatureRule("a", threshold=2, ttl_s=10), FeatureRule("b", threshold=2, ttl_s=20)
    for sweep in (lambda t, now: t.expire(now), lambda t, now: t.train_lookup(int64s(), time=now)):
        table = new_table(TableConfig.of("t", 2, features=rules))
        table.train_lookup(int64s(1, 2), feature="a", time=1000)
        sweep(table, 1019)
        table.train_lookup(int64s(1), feature="a", time=1019)
        assert all_ids(table) == [1]
        sweep(table, 1020)
        table.train_lookup(int64s(2), feature="a", time=1020)
        assert all_ids(table) == [1]


def test_counts_whose_time_is_over_are_swept_away_by_training(new_table):
    rules = (FeatureRule("a", threshold=2, ttl_s=10),)
    table = new_table(TableConfig.of("t", 2, features=rules, sweep_rows=50))
    table.train_lookup(np.arange(1000), time=1000)
    for _ in range(200):
        table.train_lookup(int64s(), time=1010)
    with table.cut() as cut:
        assert cut.admission["ids"].size == 0


def test_counts_of_waiting_ids_stay_while_some_feature_lives_for_ever(new_table):
    rules = FeatureRule("a", threshold=2, ttl_s=10), FeatureRule("b", threshold=2)
    table = new_table(TableConfig.of("t", 2, features=rules))
    table.train_lookup(int64s(1), feature="a", time=1000)
    table.expire(10**9)
    table.train_lookup(int64s(1), feature="a", time=1000)
    assert all_ids(table) == [1]


def test_the_feature_that_lives_longest_keeps_a_shared_row(table):
    table.train_lookup(int64s(5), feature="six", time=START)
    table.train_lookup(int64s(6), feature="five", time=START)
    table.train_lookup(int64s(7), feature="five", time=START)
    assert [row(table, i)["feature"] for i in (5, 6, 7)] == [1, 1, 2]
    assert len(table.expire(START + 5 * DAY).ids) == 0
    assert sorted(table.expire(START + 6 * DAY).ids.tolist()) == [5, 6]


def test_an_expired_id_comes_back_as_new(new_table):
    table = new_table(config_of())
    table.train_lookup(int64s(5), time=START)
    fresh = dump(table)
    handle = table.train_lookup(int64s(5), time=START).rows
    table.apply_gradients(handle, np.ones((1, 2), np.float32), lr=0.1)
    table.expire(START + 5 * DAY)
    table.train_lookup(int64s(5), time=START)
    again = dump(table)
    for name in ("ids", "weights", "state", "last_seen", "count", "feature"):
        assert again[name] == fresh[name], name
