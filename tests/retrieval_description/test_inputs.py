"""Raw features become what a plain loop over them says; what cannot be fed is refused by name."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, TableConfig, hash_string
from recsys_embed.errors import InputError
from recsys_embed.retrieval.description import Ids, Number, Tower
from recsys_embed.retrieval.feeding import feed, pool
from recsys_embed.retrieval.inputs import Bag, FeatureError, encode, words
from recsys_embed.snapshot import open_snapshot, write_snapshot

TOWER = Tower(
    (
        Ids("customer", "customer"),
        Ids("history", "item", most=3, pooling="mean"),
        Ids("name", "word", text=True, pooling="sum"),
        Number("price", log=True, mean=1.0, std=2.0),
    ),
    dim=4,
)
ids = st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
examples = st.fixed_dictionaries(
    {},
    optional={
        "customer": ids | st.none(),
        "history": st.lists(ids, max_size=6),
        "name": st.text(max_size=20),
        "price": st.floats(-10, 1e30) | st.integers(0, 10**9),
    },
)


def id_of(value: int | str) -> int:
    return hash_string(value) if isinstance(value, str) else value


@settings(deadline=None, max_examples=50)
@given(st.lists(examples, max_size=5))
def test_encoding_is_that_of_each_example(given: list[dict[str, Any]]) -> None:
    found = encode(TOWER, given)
    for at, example in enumerate(given):
        customer = example.get("customer")
        expected = {
            "customer": [] if customer is None else [id_of(customer)],
            "history": [id_of(one) for one in example.get("history", [])][-3:],
            "name": [hash_string(word) for word in words(example.get("name", ""))],
        }
        for name, values in expected.items():
            bag = found[name]
            assert isinstance(bag, Bag)
            assert bag.values[bag.offsets[at] : bag.offsets[at + 1]].tolist() == values
        price = example.get("price")
        number = 0.0 if price is None else (math.log1p(max(price, 0)) - 1) / 2
        assert float(found["price"][at, 0]) == float(np.float32(number))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"custmer": 1}, "no feature 'custmer'; did you mean 'customer'"),
        ({"customer": 1.0}, "customer: expected strings or integers"),
        ({"customer": True}, "customer: expected strings or integers"),
        ({"customer": 2**63}, "customer: expected strings or integers"),
        ({"customer": "\ud800"}, "customer: expected text in Unicode"),
        ({"history": [[1]]}, "history: expected strings or integers"),
        ({"history": [1] * 10_001}, "history: expected at most 10,000 values, got 10,001"),
        ({"name": ["MUG"]}, "name: expected a text"),
        ({"price": "1"}, "price: expected a finite number"),
        ({"price": math.nan}, "price: expected a finite number"),
        ({"price": True}, "price: expected a finite number"),
        ({"price": -(10**400)}, "price: expected a finite number"),  # below all floats
    ],
)
def test_what_cannot_be_fed(features: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FeatureError, match=sentence):
        encode(TOWER, [features])


def test_a_number_beyond_float32() -> None:
    with pytest.raises(FeatureError, match="fits float32"):
        encode(Tower((Number("n"),), dim=1), [{"n": 1e39}])


def test_towers_are_fed_rows_of_the_snapshot(tmp_path: Path) -> None:
    tables = {name: CollisionlessTable(TableConfig.of(name, 2)) for name in ("customer", "item")}
    tables["word"] = CollisionlessTable(TableConfig.of("word", 2))
    tables["item"].assign(np.array([1, 2, 3, 4]), np.arange(8, dtype=np.float32).reshape(4, 2))
    tables["word"].assign(np.array([hash_string("MUG")]), np.float32([[5, 6]]))
    write_snapshot(tmp_path, tables)
    given = [{"history": [9, 1, 2, 3], "name": "a mug, Mug", "price": math.e - 1}, {"customer": 8}]
    fed = feed(TOWER, encode(TOWER, given), open_snapshot(tmp_path).tables)
    assert fed["history"].tolist() == [[2, 3], [0, 0]]  # the last three
    assert fed["name"].tolist() == [[10, 12], [0, 0]]  # "A" has no row
    assert fed["customer"].tolist() == [[0, 0], [0, 0]]
    np.testing.assert_allclose(fed["price"], [[0], [0]], atol=1e-7)


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"feature 'customer' reads table 'customer'; there are"):
        feed(TOWER, encode(TOWER, [{}]), {})


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=8), st.booleans())
def test_pooling_is_a_sum_over_each_bag(counts: list[int], mean: bool) -> None:
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    vectors = np.random.default_rng(0).integers(-8, 8, (offsets[-1], 3)).astype(np.float32)
    pooled = pool(vectors, offsets, mean)
    for bag, (a, b) in enumerate(zip(offsets, offsets[1:], strict=False)):
        expected = vectors[a:b].sum(0) / (max(b - a, 1) if mean else 1)
        np.testing.assert_allclose(pooled[bag], expected, rtol=1e-6)
