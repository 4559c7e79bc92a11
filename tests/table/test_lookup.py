"""Looking ids up: order, duplicates, absent ids, every int64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import MissingIdError, TableConfig, initial_values, make_table
from tests.table.making import EXTREME_IDS, INT64, all_ids, dump, int64s, ramp

CONFIG = TableConfig.of("items", 3)


@pytest.fixture
def table(new_table):
    table = new_table(CONFIG)
    table.assign(int64s(10, -5, 7), ramp(range(3), 3))
    return table


def test_values_come_in_the_callers_order_duplicates_included(table):
    values = table.lookup(int64s(7, 10, 7, -5))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, 0], [6, 0, 6, 3])


def test_an_absent_id_reads_what_its_row_would_start_from(table):
    np.testing.assert_array_equal(table.lookup(int64s(8)), initial_values(CONFIG, int64s(8)))


def test_an_absent_id_reads_zeros_if_the_caller_says_so(table):
    values = table.lookup(int64s(8, 7), missing="zeros")
    np.testing.assert_array_equal(values, [[0, 0, 0], [6, 7, 8]])


def test_an_absent_id_reads_the_vector_the_caller_gives(table):
    given_vector = np.array([9, 8, 7], np.float32)
    values = table.lookup(int64s(8, 7, 6), missing=given_vector)
    np.testing.assert_array_equal(values, [[9, 8, 7], [6, 7, 8], [9, 8, 7]])


def test_an_absent_id_is_an_error_if_the_caller_says_so(table):
    out = np.full((2, 3), 5, np.float32)
    with pytest.raises(MissingIdError, match="8"):
        table.lookup(int64s(7, 8), missing="error", out=out)
    np.testing.assert_array_equal(out, np.full((2, 3), 5))


def test_no_error_is_raised_when_every_id_has_a_row(table):
    assert table.lookup(int64s(7, 10), missing="error").shape == (2, 3)


def test_an_empty_batch_gives_no_rows(table):
    for missing in ("initial", "zeros", "error", np.ones(3, np.float32)):
        assert table.lookup(int64s(), missing=missing).shape == (0, 3)
    assert table.contains(int64s()).shape == (0,)


def test_an_empty_table_answers(new_table):
    empty = new_table(CONFIG)
    assert len(empty) == 0
    assert all_ids(empty) == []
    np.testing.assert_array_equal(empty.contains(int64s(0, 1)), [False, False])
    np.testing.assert_array_equal(empty.lookup(int64s(0), missing="zeros"), np.zeros((1, 3)))
    with pytest.raises(MissingIdError):
        empty.lookup(int64s(0), missing="error")


def test_out_is_written_and_returned(table):
    out = np.zeros((2, 3), np.float32)
    result = table.lookup(int64s(10, 7), out=out)
    assert np.shares_memory(result, out)
    np.testing.assert_array_equal(out[:, 0], [0, 6])


def test_contains_len_and_iteration_agree(table):
    np.testing.assert_array_equal(table.contains(int64s(10, 11, -5, 10)), [True, False, True, True])
    assert 7 in table
    assert 8 not in table
    assert len(table) == 3
    assert all_ids(table) == [-5, 7, 10]


def test_hits_and_lookups_count_occurrences(table):
    before = table.stats()
    table.lookup(int64s(10, 11, 10, 12))
    after = table.stats()
    assert (after.lookups - before.lookups, after.hits - before.hits) == (4, 2)
    assert 0 < after.hit_rate < 1


def test_every_int64_is_a_legal_id(new_table):
    table = new_table(CONFIG)
    ids = int64s(*dict.fromkeys(EXTREME_IDS))
    values = ramp(ids, 3)
    table.assign(ids, values)
    assert len(table) == len(ids)
    np.testing.assert_array_equal(table.lookup(ids, missing="error"), values)
    assert all_ids(table) == sorted(ids.tolist())
    table.evict(ids[::2].copy())
    np.testing.assert_array_equal(table.contains(ids), np.arange(len(ids)) % 2 == 1)


@given(
    st.lists(st.integers(INT64.min, INT64.max) | st.sampled_from(EXTREME_IDS), unique=True),
    st.lists(st.integers(INT64.min, INT64.max) | st.sampled_from(EXTREME_IDS)),
)
def test_only_assigned_ids_have_rows(assigned, asked):
    table = make_table(CONFIG)
    table.assign(int64s(*assigned), ramp(assigned, 3))
    before = dump(table)
    held = table.contains(int64s(*asked, *assigned))
    np.testing.assert_array_equal(held, [i in set(assigned) for i in (*asked, *assigned)])
    by_id = dict(zip(assigned, ramp(assigned, 3).tolist(), strict=True))
    values = table.lookup(int64s(*asked), missing="zeros")
    np.testing.assert_array_equal(values.tolist(), [by_id.get(i, [0, 0, 0]) for i in asked])
    assert dump(table) == before
