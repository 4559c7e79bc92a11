"""Attributes survive being arrays; arrays that are none are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes import (
    Columns,
    Schema,
    arrays_of,
    by_attribute,
    checked,
    values_of,
)
from tests.index_attributes.making import SCHEMA, items

Arrays = dict[str, np.ndarray]


@given(items())
def test_values_come_back_from_their_arrays(rows: list[dict]) -> None:
    values = checked(by_attribute(rows), SCHEMA, len(rows))
    assert values_of(arrays_of(values, SCHEMA), SCHEMA) == values


@given(items())
def test_columns_are_spelled_as_their_values_are(rows: list[dict]) -> None:
    columns = Columns(SCHEMA)
    columns.append(by_attribute(rows), len(rows))
    every = {name: [row.get(name) for row in rows] for name in SCHEMA.kinds}
    of_columns, of_values = arrays_of(columns, SCHEMA), arrays_of(every, SCHEMA)
    assert of_columns.keys() == of_values.keys()
    for name, array in of_columns.items():
        np.testing.assert_array_equal(array, of_values[name], strict=True)


def test_the_arrays_are_those_of_the_specification() -> None:
    schema = Schema({"n": "int", "b": "bool", "s": "str", "t": "tags"})
    values = {"n": [7, None], "b": [None, True], "s": ["é", ""], "t": [["x", "yz"], None]}
    arrays = arrays_of(values, schema)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "n/present": [0b01],
        "n/values": [7, 0],
        "b/present": [0b10],
        "b/values": [0, 1],
        "s/present": [0b11],
        "s/offsets": [0, 2, 2],
        "s/bytes": [0xC3, 0xA9],
        "t/present": [0b01],
        "t/lists": [0, 2, 2],
        "t/offsets": [0, 1, 3],
        "t/bytes": [*b"xyz"],
    }
    assert {array.dtype.str for array in arrays.values()} == {"|u1", "<i8"}


def test_attributes_without_arrays_are_left_out() -> None:
    assert arrays_of({}, SCHEMA) == {} and values_of({}, SCHEMA) == {}
    assert list(values_of(arrays_of({"stock": [1]}, SCHEMA), SCHEMA)) == ["stock"]


def changed(name: str, value: Any) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: np.array(value, arrays[name].dtype)}


DAMAGED: dict[str, tuple[Callable[[Arrays], Arrays], str]] = {
    "a missing array": (
        lambda arrays: {n: a for n, a in arrays.items() if n != "country/bytes"},
        "'country' of kind str is spelled by",
    ),
    "another dtype": (
        lambda arrays: {**arrays, "price/values": np.zeros(2, np.float32)},
        "'price' of kind float is spelled by",
    ),
    "a matrix": (
        lambda arrays: {**arrays, "price/values": np.zeros((2, 1))},
        "'price' of kind float is spelled by flat",
    ),
    "no offsets": (changed("country/offsets", []), "'country' do not fit: offsets"),
    "offsets that descend": (changed("country/offsets", [0, 9, 3]), "'country' do not fit"),
    "offsets that end early": (changed("country/offsets", [0, 1, 2]), "from 0 to 3"),
    "offsets that overrun": (changed("topics/lists", [0, 1, 9]), "'topics' do not fit"),
    "half a character": (changed("country/offsets", [0, 1, 3]), "'country' do not fit: 'utf-8'"),
    "too little presence": (changed("price/present", []), "2 values and 0 bytes of presence"),
    "truth of 2": (changed("sold/values", [0, 2]), "neither 0 nor 1"),
    "NaN": (changed("price/values", [0, np.nan]), "'price' of item 1 must be a finite number"),
    "fewer items": (changed("stock/values", [1]), "'stock' needs one value an item, 2, got 1"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGED.values(), ids=DAMAGED)
def test_arrays_that_do_not_fit_are_refused(
    damage: Callable[[Arrays], Arrays], sentence: str
) -> None:
    values = {
        "price": [1.0, 2.0],
        "stock": [1, 2],
        "country": ["é", "a"],
        "sold": [True, False],
        "topics": [["x"], ["y"]],
    }
    with pytest.raises(AttributesError, match=sentence):
        values_of(damage(arrays_of(values, SCHEMA)), SCHEMA)
