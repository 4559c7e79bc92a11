"""Slots keep what they were given, whoever reads them while others are added."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes import Columns, Schema, by_attribute
from tests.index_attributes.making import SCHEMA, items


def filled(*batches: list[dict]) -> Columns:
    columns = Columns(SCHEMA)
    for rows in batches:
        columns.append(by_attribute(rows), len(rows))
    return columns


@given(st.lists(items(5), max_size=6), st.data())
def test_slots_hold_what_was_appended_in_order(batches: list[list[dict]], data) -> None:
    rows = [row for batch in batches for row in batch]
    columns = filled(*batches)
    assert len(columns) == len(rows)
    slots = data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else []
    assert columns.take(slots) == [rows[slot] for slot in slots]
    kept = columns.compacted(np.array(slots, np.int64))
    assert kept.take(np.arange(len(kept))) == [rows[slot] for slot in slots]


@given(items(), items())
def test_refused_slots_leave_nothing_behind(before: list[dict], after: list[dict]) -> None:
    columns = filled(before)
    with pytest.raises(AttributesError):
        columns.append({"country": ["new"], "topics": [["new"]], "price": ["none"]}, 1)
    columns.append(by_attribute(after), len(after))
    assert columns.take(range(len(columns))) == before + after


def test_attributes_that_are_left_out_are_absent() -> None:
    columns = Columns(SCHEMA)
    columns.append(None, 2)
    columns.append({"price": [1.0]}, 1)
    assert columns.take([0, 1, 2]) == [{}, {}, {"price": 1.0}]


def test_columns_without_attributes_only_count() -> None:
    columns = Columns(Schema())
    columns.append(None, 3)
    assert (len(columns), columns.take([2, 0])) == (3, [{}, {}])


def test_readers_see_whole_slots_while_a_writer_appends() -> None:
    """Every slot says its own number in every attribute; a torn or moved one would not."""
    columns, wrong, done = Columns(SCHEMA), [], threading.Event()

    def row(n: int) -> dict:
        return {"stock": n, "country": f"c{n}", "topics": (f"t{n}", f"u{n % 3}"), "price": n / 2}

    def read() -> None:
        random = np.random.default_rng(0)
        while not done.is_set() or not len(columns):
            if size := len(columns):
                slots = random.integers(0, size, 8)
                wrong.extend(
                    (slot, got)
                    for slot, got in zip(slots.tolist(), columns.take(slots), strict=True)
                    if got != row(slot)
                )

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for start in range(0, 3000, 10):
        columns.append(by_attribute(row(n) for n in range(start, start + 10)), 10)
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong
