"""Examples that are taken are those that would be encoded; hidden ids are as none at all."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.retrieval.description import Ids, Number, Tower
from recsys_embed.retrieval.inputs import Bag
from training.retrieval.towers.examples import Examples

TOWER = Tower((Ids("item", "item"), Ids("history", "item", most=3), Number("price")), dim=4)
EXAMPLE = st.fixed_dictionaries(
    {
        "item": st.none() | st.integers(0, 9),
        "history": st.lists(st.integers(0, 9), max_size=5),
        "price": st.floats(-5, 5, width=32),
    }
)


def assert_equal(got: Examples, wanted: Examples) -> None:
    assert got.count == wanted.count
    for name, value in wanted.encoded.items():
        if isinstance(value, Bag):
            assert all(map(np.array_equal, got.encoded[name], value)), name
        else:
            assert np.array_equal(got.encoded[name], value), name


@given(st.lists(EXAMPLE, max_size=6), st.data())
def test_taking_is_encoding_the_chosen(features: list[dict[str, Any]], data: st.DataObject) -> None:
    at = st.lists(st.integers(0, len(features) - 1), max_size=8) if features else st.just([])
    chosen = data.draw(at)
    taken = Examples.of(TOWER, features).take(np.array(chosen, np.int64))
    assert_equal(taken, Examples.of(TOWER, [features[i] for i in chosen]))


@given(st.lists(st.tuples(EXAMPLE, st.booleans()), min_size=1, max_size=6))
def test_a_hidden_id_is_as_if_it_had_not_been_given(drawn: list[tuple[Any, bool]]) -> None:
    features, hidden = zip(*drawn, strict=True)
    every = np.arange(len(features))
    taken = Examples.of(TOWER, features).take(every, "item", np.array(hidden))
    without = [{**f, "item": None} if h else f for f, h in drawn]
    assert_equal(taken, Examples.of(TOWER, without))
