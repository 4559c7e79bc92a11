"""What is taken as attributes, and the sentences that refuse the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from recsys_embed import ConfigError, InputError
from recsys_embed.config import from_dict, to_dict
from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes import Schema, by_attribute, checked
from tests.index_attributes.making import SCHEMA, items

REFUSED: dict[str, tuple[Any, str]] = {
    "an unknown attribute": ({"prize": [1.0, 2.0]}, r"no attribute 'prize'; did you mean 'price'"),
    "too few values": ({"price": [1.0]}, r"'price' needs one value an item, 2, got 1"),
    "a string for a list": ({"country": "FR"}, r"'country' must be a list of values, got 'FR'"),
    "a number for a list": ({"price": 3}, r"'price' must be a list of values, got 3"),
    "a string for a number": ({"price": [1, "2"]}, r"'price' of item 1 .*finite number.*got '2'"),
    "NaN": ({"price": [1, float("nan")]}, r"'price' of item 1 .*finite number.*got nan"),
    "infinity": ({"price": np.array([np.inf, 1])}, r"'price' of item 0 .*finite.*got inf"),
    "an int beyond floats": ({"price": [0, 10**400]}, r"'price' of item 1 .*finite number"),
    "truth for a number": ({"price": [1.0, True]}, r"'price' of item 1 .*got True"),
    "truth for an int": ({"stock": [True, 1]}, r"'stock' of item 0 .*64 bits.*got True"),
    "a float for an int": ({"stock": [1, 2.0]}, r"'stock' of item 1 .*integer.*got 2.0"),
    "an int of 65 bits": ({"stock": [1, 2**63]}, r"'stock' of item 1 .*64 bits"),
    "a number for truth": ({"sold": [1, None]}, r"'sold' of item 0 must be true or false"),
    "a number for a string": ({"country": [None, 7]}, r"'country' of item 1 .*string.*got 7"),
    "half a surrogate pair": ({"country": ["a", "\ud800"]}, r"'country' of item 1 .*Unicode"),
    "a string for tags": ({"topics": [["a"], "b"]}, r"'topics' of item 1 .*list of strings"),
    "numbers for tags": ({"topics": [[1], []]}, r"'topics' of item 0 .*list of strings"),
    "half a pair in tags": ({"topics": [["\udfff"], []]}, r"'topics' of item 0 .*list of strings"),
}


@pytest.mark.parametrize(("values", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_by_name_and_position(values: Any, sentence: str) -> None:
    with pytest.raises(AttributesError, match=sentence) as caught:
        checked(values, SCHEMA, 2)
    assert isinstance(caught.value, InputError)


@given(items())
def test_checked_values_are_what_came_and_stay_so(rows: list[dict]) -> None:
    values = checked(by_attribute(rows), SCHEMA, len(rows))
    for name, column in values.items():
        assert column == [row.get(name) for row in rows]
    assert checked(values, SCHEMA, len(rows)) == values


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("price", np.array([1, 2], np.float32), [1.0, 2.0]),
        ("price", [np.float32(0.5), 3], [0.5, 3.0]),
        ("stock", np.array([1, 2], np.uint8), [1, 2]),
        ("stock", [np.int64(-1), None], [-1, None]),
        ("sold", np.array([True, False]), [True, False]),
        ("sold", [np.True_, None], [True, None]),
        ("country", np.array(["FR", "DE"]), ["FR", "DE"]),
        ("topics", [["b", "a", "b"], {"d", "c"}], [("b", "a"), ("c", "d")]),
        ("topics", [np.array(["x"]), None], [("x",), None]),
    ],
)
def test_arrays_and_scalars_of_numpy_become_plain_values(
    name: str, given: Any, plain: list[Any]
) -> None:
    (came,) = checked({name: given}, SCHEMA, 2).values()
    assert came == plain
    assert [type(value) for value in came] == [type(value) for value in plain]


def test_no_values_are_no_attributes() -> None:
    assert checked(None, SCHEMA, 5) == checked({}, SCHEMA, 5) == {}


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ({"price": "flaot"}, "'price' has no kind 'flaot'; did you mean 'float'"),
        ({"": "int"}, "needs a name, got ''"),
        ({3: "int"}, "needs a name, got 3"),
        (["price"], r"table of names and kinds, got \['price'\]"),
    ],
)
def test_a_schema_that_is_none_is_refused(kinds: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Schema(kinds)


def test_a_schema_is_its_plain_values() -> None:
    assert Schema(dict(SCHEMA.kinds)) == SCHEMA
    assert from_dict(Schema, to_dict(SCHEMA)) == SCHEMA
    assert len({SCHEMA, Schema(dict(reversed(SCHEMA.kinds.items())))}) == 1


def test_a_schema_keeps_its_kinds_whatever_becomes_of_the_dict() -> None:
    kinds: Any = {"price": "float"}
    schema = Schema(kinds)
    kinds["price"] = "int"
    assert schema.kinds["price"] == "float"
