"""Lines of a log become baskets, histories and a catalogue that know nothing of the future."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError
from recsys_embed.hashing import hash_string
from recsys_embed.retrieval.inputs import Bag
from tests.retrieval_towers.making import config, values
from training.retrieval.towers.baskets import (
    HISTORY,
    USER,
    AttributeFrom,
    BasketsConfig,
    histories,
    read_baskets,
    users_now,
)
from training.retrieval.towers.shop import open_shop

SALES = BasketsConfig(user="who", item="what", time="at", history=2)
LINES = [
    {"who": 1, "what": "B", "at": 30, "price": 3.0, "country": "FR"},
    {"who": 1, "what": "A", "at": 10, "price": 1.0, "country": "DE"},
    {"who": 1, "what": "A", "at": 10, "price": 9.0, "country": "FR"},
    {"who": 2, "what": "A", "at": 20, "price": 2.0, "country": "FR"},
    {"who": 1, "what": "C", "at": 20, "price": 1.0, "country": None},
]


def test_lines_of_one_user_and_moment_are_a_basket_of_distinct_items() -> None:
    catalogue, baskets = read_baskets(pl.DataFrame(LINES), SALES, {})
    assert catalogue.names == ["A", "C", "B"]
    assert catalogue.first.tolist() == [10, 20, 30]
    assert baskets.times.tolist() == [10, 20, 20, 30]
    assert baskets.users.tolist() == [1, 2, 1, 1]
    assert np.split(baskets.items.values, baskets.items.offsets[1:-1])[0].tolist() == [0]
    a, c = hash_string("A"), hash_string("C")
    assert baskets.lines[HISTORY].to_list() == [[], [], [a], [a, c]]


def test_what_a_user_has_now_includes_the_last_basket() -> None:
    catalogue, baskets = read_baskets(pl.DataFrame(LINES), SALES, {})
    now = users_now(baskets, catalogue.ids, most=2)
    a, b, c = (hash_string(name) for name in "ABC")
    assert dict(zip(now[USER].to_list(), now[HISTORY].to_list(), strict=True)) == {
        1: [c, b],
        2: [a],
    }


def test_attributes_come_from_the_lines_that_sold_an_item() -> None:
    asked = {
        "last": AttributeFrom("price"),
        "first": AttributeFrom("price", "first"),
        "countries": AttributeFrom("country", "distinct"),
        "begun": AttributeFrom("time", "first"),
    }
    catalogue, _ = read_baskets(pl.DataFrame(LINES), SALES, asked)
    assert catalogue.kinds == {
        "last": "float", "first": "float", "countries": "tags", "begun": "int",
    }  # fmt: skip
    known = catalogue.attributes()
    assert known["last"] == [2.0, 1.0, 3.0]
    assert known["first"] == [1.0, 1.0, 3.0]
    assert known["countries"] == [["DE", "FR"], [], ["FR"]]
    assert known["begun"] == [10, 20, 30]
    assert catalogue.attributes(until=20) == {
        "last": [9.0], "first": [1.0], "countries": [["DE", "FR"]], "begun": [10],
    }  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 5), max_size=4, unique=True)),
        max_size=20,
    ),
    st.integers(0, 5),
)
def test_histories_are_those_of_a_plain_loop(
    bought: list[tuple[int, list[int]]], most: int
) -> None:
    ids = np.arange(100, 106)
    wanted = []
    for i, (user, _) in enumerate(bought):
        past = [item for who, own in bought[:i] if who == user for item in own]
        wanted.append([100 + item for item in past][-most:] if most else [])
    offsets = np.cumsum([0, *(len(own) for _, own in bought)])
    bag = Bag(np.array([item for _, own in bought for item in own], np.int64), offsets)
    assert histories(np.array([user for user, _ in bought]), bag, ids, most) == wanted


def test_a_number_is_scaled_by_what_the_train_part_has_alone(log: Path) -> None:
    shop = open_shop(config(log))
    number = shop.item.inputs[2]
    prices = 1.0 + np.array([int(n.split("thing")[1]) for n in shop.catalogue.names])
    known = np.log1p(prices[: shop.known_items])
    assert number.mean == pytest.approx(known.mean())  # type: ignore[union-attr]
    assert number.std == pytest.approx(known.std())  # type: ignore[union-attr]
    assert shop.known_items < len(shop.catalogue.names)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"item": "whta"}, "did you mean 'what'"),
        ({"where": "price > 1000"}, "no line of the log is left"),
        ({"where": "price >"}, "baskets.where"),
        ({"time": "who"}, "baskets.time"),
    ],
)
def test_a_log_that_is_not_as_described_is_refused(
    log: Path, change: dict[str, str], says: str
) -> None:
    baskets = {**values(log)["baskets"], **change}
    with pytest.raises(InputError, match=says):
        open_shop(config(log, baskets=baskets))
