"""Filters that are none, too large, or satisfied by no item are refused in one sentence."""

import difflib
from typing import Any

import pytest

from recsys_embed import ConfigError, InputError
from recsys_embed.errors import FilterError
from recsys_embed.index.filters import Limits, contradictions, parse
from recsys_embed.index.filters.predicates import OneOf, Within
from tests.index_attributes.making import SCHEMA

NO_FILTER: dict[str, tuple[Any, str]] = {
    "nothing": (None, "where must be an object"),
    "a list": ([], "where must be an object"),
    "an empty object": ({}, "where must have one of and, or, not, field, got nothing"),
    "a misspelled form": ({"fild": "price", "eq": 1}, "got .*'fild'.*; did you mean 'field'"),
    "two forms": ({"and": [{}], "or": [{}]}, r"where .* alone, got \['and', 'or'\]"),
    "a form with more": ({"not": {}, "eq": 1}, r"where .* alone, got \['eq', 'not'\]"),
    "an and of nothing": ({"and": []}, r"where.and must be a list of at least one filter"),
    "an or of no list": ({"or": {"a": 1}}, r"where.or must be a list of at least one filter"),
    "no filter inside": ({"and": [{"not": 3}]}, r"where.and\[0\].not must be an object"),
    "an unknown field": ({"field": "prise", "eq": 1}, "'prise'.*did you mean 'price'.*known: "),
    "no name for a field": ({"field": ["price"], "eq": 1}, r"asks for field \['price'\]"),
    "no operator": ({"field": "sold"}, "needs an operator for 'sold', one of eq, in, exists"),
    "an unknown operator": ({"field": "stock", "gtt": 1}, "'gtt'; did you mean 'gt' or 'gte'"),
    "a range of strings": ({"field": "country", "gt": "a"}, "'country', of kind str, for 'gt'"),
    "a range of tags": ({"field": "topics", "lt": "a"}, "'topics', of kind tags, for 'lt'"),
    "a range of truth": ({"field": "sold", "gte": False}, "'sold', of kind bool, for 'gte'"),
    "a value of no kind": ({"field": "price", "eq": None}, "eq must be a finite number, got None"),
    "truth for a number": ({"field": "price", "eq": True}, "must be a finite number, got True"),
    "a number for a string": ({"field": "country", "eq": 3}, "eq must be a string, got 3"),
    "a list for a tag": ({"field": "topics", "eq": ["a"]}, r"eq must be a string, got \['a'\]"),
    "a fraction for an int": ({"field": "stock", "eq": 2.5}, "integer of 64 bits, got 2.5"),
    "an int of 65 bits": ({"field": "stock", "in": [1, 2**63]}, "integer of 64 bits, got 9223"),
    "NaN": ({"field": "price", "lt": float("nan")}, "where.lt must be a finite number, got nan"),
    "infinity": ({"field": "stock", "eq": float("inf")}, "64 bits, got inf"),
    "a bound of text": ({"field": "stock", "gte": "3"}, "gte must be a finite number, got '3'"),
    "an in of nothing": ({"field": "stock", "in": []}, "in must be a list of at least one value"),
    "an in of no list": ({"field": "country", "in": "FR"}, "in must be a list.*got 'FR'"),
    "exists of no truth": ({"field": "stock", "exists": 1}, "exists must be true or false, got 1"),
    "a place deep inside": (
        {"and": [{"field": "sold", "eq": True}, {"or": [{"field": "stock", "lt": "x"}]}]},
        r"where.and\[1\].or\[0\].lt must be",
    ),
}


@pytest.mark.parametrize(("json", "sentence"), NO_FILTER.values(), ids=NO_FILTER)
def test_what_is_no_filter_is_refused(json: Any, sentence: str) -> None:
    with pytest.raises(FilterError, match=sentence) as caught:
        parse(json, SCHEMA)
    assert isinstance(caught.value, InputError)


def price(**asked: Any) -> dict:
    return {"field": "price", **asked}


def stock(**asked: Any) -> dict:
    return {"field": "stock", **asked}


def topics(**asked: Any) -> dict:
    return {"field": "topics", **asked}


def sold(**asked: Any) -> dict:
    return {"field": "sold", **asked}


FR, DE = {"field": "country", "eq": "FR"}, {"field": "country", "eq": "DE"}
CONTRADICTIONS: dict[str, tuple[Any, str]] = {
    "an empty range": (price(gt=10, lt=5), "price gt 10 and price lt 5"),
    "a range open on both sides": (price(gt=1, lte=1), "price gt 1 and price lte 1"),
    "no integer between": (stock(gt=1, lt=2), "stock gt 1 and stock lt 2"),
    "no number so large": (stock(gte=2**63), "stock gte 9223372036854775808"),
    "no number so small": (price(lt=-1.7976931348623157e308), "price lt -1.79"),
    "two values": ({"and": [FR, DE]}, "country eq 'FR' and country eq 'DE'"),
    "a value of no set": (stock(eq=1, **{"in": [2, 3]}), "stock eq 1 and stock in"),
    "a value out of range": ({"and": [stock(eq=1), {"and": [stock(gt=1)]}]}, "eq 1 and stock gt 1"),
    "a value and no value": ({"and": [FR, {"not": FR}]}, r"'FR' and not \(country eq 'FR'\)"),
    "an excluded range": ({"and": [price(gt=5), {"not": price(gt=3)}]}, r"not \(price gt 3\)"),
    "excluded in an or": ({"and": [FR, {"not": {"or": [FR, sold(eq=True)]}}]}, r"not \(country"),
    "the only value left": (
        {"and": [price(gte=1, lte=1), {"not": price(eq=1)}]},
        "price gte 1 and",
    ),
    "neither true nor false": (
        {"and": [sold(exists=True), {"not": sold(eq=True)}, {"not": sold(eq=False)}]},
        r"not \(sold eq True\) and not \(sold eq False\)",
    ),
    "a value of an absent field": (stock(exists=False, lt=3), r"not \(stock exists.*stock lt 3"),
    "a tag that is excluded": (
        {"and": [topics(eq="a"), {"not": topics(**{"in": ["a", "b"]})}]},
        r"topics eq 'a' and not \(topics in",
    ),
    "a choice and its opposite": (
        {"and": [{"or": [FR, DE]}, {"not": {"not": {"not": {"or": [FR, DE]}}}}]},
        r"not \(country eq 'FR'\)",
    ),
    "a choice that all the rest excludes": (
        {"and": [stock(gt=3), {"or": [stock(lt=2), stock(eq=3)]}]},
        "stock gt 3 and stock lt 2",
    ),
    "a branch of an or": ({"or": [FR, price(gt=10, lt=5)]}, "price gt 10 and price lt 5"),
    "a branch of a denied and": (
        {"not": {"and": [FR, {"not": {"and": [FR, DE]}}]}},
        "country eq 'FR' and country eq 'DE'",
    ),
}


@pytest.mark.parametrize(("json", "sentence"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions_are_refused_with_what_contradicts(json: Any, sentence: str) -> None:
    with pytest.raises(FilterError, match=f"contradicts itself, no item can match: .*{sentence}"):
        parse(json, SCHEMA)


@pytest.mark.parametrize(
    "json",
    [
        topics(eq="a", **{"in": ["b"]}),  # an item may have both
        {"and": [topics(eq="a"), {"not": topics(eq="b")}]},
        {"or": [FR, DE]},
        {"and": [FR, {"or": [FR, DE]}]},
        {"and": [{"not": FR}, {"not": DE}]},
        {"and": [{"not": sold(eq=True)}, {"not": sold(eq=False)}]},  # an item may lack it
        {"and": [{"field": "country", "exists": False}, {"not": FR}]},
        {"and": [topics(**{"in": ["a", "b"]}), {"not": topics(eq="b")}]},
        price(gte=1, lte=1),
        {"and": [price(gte=1, lte=2), {"not": price(eq=1)}]},
        {"not": price(gt=10, lt=5)},  # holds for all, and the condition in it is not asked to hold
    ],
)
def test_what_some_item_can_satisfy_is_taken(json: Any) -> None:
    parse(json, SCHEMA)


LARGE: dict[str, tuple[Any, Limits, str]] = {
    "too deep": ({"not": {"not": sold(eq=True)}}, Limits(depth=2), "2 deep, got a deeper"),
    "too many parts": ({"or": [FR, DE]}, Limits(parts=2), "2 parts, got at least 3"),
    "too many values": (
        {"or": [stock(**{"in": [1, 2]}), price(**{"in": [1]})]},
        Limits(values=2),
        "2 values, got at least 3",
    ),
}


@pytest.mark.parametrize(("json", "limits", "sentence"), LARGE.values(), ids=LARGE)
def test_limits_hold_exactly(json: Any, limits: Limits, sentence: str) -> None:
    with pytest.raises(FilterError, match=sentence):
        parse(json, SCHEMA, limits)
    (name, most) = next((n, v) for n, v in vars(limits).items() if v < 10)
    parse(json, SCHEMA, Limits(**{name: most + 1}))


def test_no_depth_exhausts_the_stack() -> None:
    json: Any = sold(eq=True)
    for _ in range(100_000):
        json = {"not": json}
    with pytest.raises(FilterError, match="16 deep"):
        parse(json, SCHEMA)


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1, got .*depth=0"):
        Limits(depth=0)


def test_contradictions_are_looked_for_with_so_many_comparisons_alone() -> None:
    one_of_three = {"and": [stock(**{"in": [1, 2, 3]}), {"not": stock(lt=2)}, stock(gt=3)]}
    parse(one_of_three, SCHEMA, Limits(comparisons=8))
    with pytest.raises(FilterError, match="contradicts itself"):
        parse(one_of_three, SCHEMA, Limits(comparisons=100))
    small = {"and": [one_of_three, price(gt=10, lt=5)]}
    with pytest.raises(FilterError, match="price gt 10 and price lt 5"):
        parse(small, SCHEMA, Limits(comparisons=8))  # what is too much leaves the rest its share


def test_no_filter_within_the_limits_has_more_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, has_value = list[int](), contradictions._has_value

    def counted(kind: Any, literals: Any) -> bool:
        values = sum(len(one.values) for one, _ in literals if isinstance(one, OneOf))
        ranges = sum(isinstance(one, Within) for one, holds in literals if not holds)
        compared.append(values * max(1, ranges))
        return has_value(kind, literals)

    monkeypatch.setattr(contradictions, "_has_value", counted)
    denied = [{"not": stock(gt=20_000 + n)} for n in range(60)]
    listed = stock(**{"in": list(range(9_990))})
    for json in (
        {"and": [listed, *denied[:30], {"or": denied[30:]}]},
        {"and": [listed, {"or": denied}]},
        {"and": [listed, *({"or": [one]} for one in denied[:40])]},
        {"and": [listed, *denied[:10], {"or": denied[10:]}]},
    ):
        compared.clear()
        parse(json, SCHEMA)
        assert sum(compared) <= Limits().comparisons
    assert sum(compared) >= 9_990 * 10, "it is looked for as long as that goes"


def test_names_of_megabytes_are_compared_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, matches = list[str](), difflib.get_close_matches

    def recorded(name: str, *more: Any, **options: Any) -> list[str]:
        compared.append(name)
        return matches(name, *more, **options)

    monkeypatch.setattr(difflib, "get_close_matches", recorded)
    name = "prise" * 1_000_000
    for json in ({"field": name, "eq": 1}, {"field": "price", name: 1}, {name: 1}):
        with pytest.raises(FilterError, match="known: "):
            parse(json, SCHEMA)
    assert [len(one) for one in compared] == [100] * 3
