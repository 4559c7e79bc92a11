"""Columns to bags of ids."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError, hash_string
from training.bags import Bags, bags_of


def listed(bags: Bags, events: list[int]) -> list[list[int]]:
    positions, lengths = bags.positions(np.array(events, np.int64))
    ids = iter(bags.values[positions].tolist())
    return [[next(ids) for _ in range(n)] for n in lengths.tolist()]


def test_integers_are_their_own_ids_and_a_missing_one_is_an_empty_bag() -> None:
    assert listed(bags_of(pl.Series([7, None, -1])), [0, 1, 2]) == [[7], [], [-1]]


def test_uint64_keeps_its_bits() -> None:
    assert listed(bags_of(pl.Series([2**64 - 1], dtype=pl.UInt64)), [0]) == [[-1]]


def test_strings_have_the_id_of_the_library() -> None:
    bags = bags_of(pl.Series(["tea", None, "cup", "tea"]))
    assert listed(bags, [0, 1, 2, 3]) == [
        [hash_string("tea")],
        [],
        [hash_string("cup")],
        [hash_string("tea")],
    ]


def test_lists_become_bags_in_their_order_without_their_nulls() -> None:
    bags = bags_of(pl.Series([["b", "a"], [], None, ["a", None]]))
    a, b = hash_string("a"), hash_string("b")
    assert listed(bags, [0, 1, 2, 3]) == [[b, a], [], [], [a]]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.String, pl.List(pl.String), pl.List(pl.Int32)])
def test_no_events_give_no_bags(dtype: pl.DataType) -> None:
    assert len(bags_of(pl.Series([], dtype=dtype))) == 0


def test_floats_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"column 'price' holds Float64.*events.derive"):
        bags_of(pl.Series("price", [1.5]))


def test_weights_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="one weight for every id"):
        bags_of(pl.Series("ids", [[1, 2]]), pl.Series("weights", [[1.0]]))


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), max_size=8), st.randoms())
def test_taken_bags_are_the_bags_of_those_events(rows: list[list[int]], random: object) -> None:
    bags = bags_of(pl.Series(rows, dtype=pl.List(pl.Int64)))
    chosen = [random.randrange(len(rows)) for _ in range(5)] if rows else []  # type: ignore[attr-defined]
    assert listed(bags, chosen) == [rows[i] for i in chosen]
    taken = bags.take(np.array(chosen, np.int64))
    assert listed(taken, list(range(len(chosen)))) == [rows[i] for i in chosen]
