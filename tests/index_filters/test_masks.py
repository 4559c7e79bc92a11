"""A mask holds exactly the slots whose items match, one by one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed.errors import FilterError
from recsys_embed.index.attributes import Columns, by_attribute
from recsys_embed.index.filters import parse
from tests.index_attributes.making import FLOATS, INTS, SCHEMA, VALUES, WORDS, items
from tests.reference.filters import matches

NUMBERS = ("price", "stock")
SINGLE = {**VALUES, "topics": st.sampled_from(WORDS)}
LISTS = {name: st.lists(one, min_size=1, max_size=6) for name, one in SINGLE.items()}
SAME, RANGES = ("eq", "in", "exists"), ("gt", "gte", "lt", "lte")
BOUND = st.sampled_from((*INTS, *FLOATS, 0.25, 10**30, -(10**30)))
OPERATORS = {
    name: st.fixed_dictionaries(
        {},
        optional={
            "eq": one,
            "in": LISTS[name],
            "exists": st.booleans(),
            **({op: BOUND for op in RANGES} if name in NUMBERS else {}),
        },
    )
    for name, one in SINGLE.items()
}
CONDITIONS = st.one_of(
    [
        asked.filter(bool).map(lambda a, n=name: {"field": n, **a})
        for name, asked in OPERATORS.items()
    ]
)


def combined(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(part, min_size=1, max_size=3)
    return st.one_of(
        parts.map(lambda ps: {"and": ps}),
        parts.map(lambda ps: {"or": ps}),
        part.map(lambda p: {"not": p}),
    )


FILTERS = st.recursive(CONDITIONS, combined, max_leaves=6)


def has_or(json: Any, negated: bool = False) -> bool:
    """Tells whether a filter offers a choice anywhere: an or, or a not of an and."""
    if "not" in json:
        return has_or(json["not"], not negated)
    choice = "and" if negated else "or"
    if len(json) > 2 and "field" in json and negated:
        return True
    return choice in json or any(has_or(p, negated) for p in json.get("and", json.get("or", [])))


@settings(max_examples=400)
@given(st.data())
def test_every_operator_holds_where_it_does_item_by_item(data) -> None:
    name = data.draw(st.sampled_from(sorted(OPERATORS)))
    operator = data.draw(st.sampled_from([*SAME, *(RANGES if name in NUMBERS else ())]))
    asked = {"eq": SINGLE[name], "in": LISTS[name], "exists": st.booleans()}.get(operator, BOUND)
    json = {"field": name, operator: data.draw(asked)}
    column = data.draw(st.lists(st.none() | VALUES[name], min_size=1, max_size=30))
    start = data.draw(st.integers(0, len(column)))
    try:
        predicate = parse(json, SCHEMA)
    except FilterError:
        assert not any(matches(json, {name: value}) for value in column)
        return
    columns = Columns(SCHEMA)
    columns.append({name: column}, len(column))
    found = [*predicate.mask(columns, start), *predicate.mask(columns, len(column))[start:]]
    assert found == [matches(json, {name: value}) for value in column]


@given(FILTERS, items(), items(4))
def test_masks_are_those_of_item_by_item(json: Any, before: list[dict], after: list[dict]) -> None:
    try:
        predicate = parse(json, SCHEMA)
    except FilterError as error:
        assert "contradicts" in str(error)
        assert has_or(json) or not any(matches(json, item) for item in before + after)
        return
    columns = Columns(SCHEMA)
    columns.append(by_attribute(before), len(before))
    expected = [matches(json, item) for item in before + after]
    assert predicate.mask(columns, len(before)).tolist() == expected[: len(before)]
    columns.append(by_attribute(after), len(after))
    assert predicate.mask(columns, len(columns)).tolist() == expected
    assert predicate.mask(columns, len(before)).tolist() == expected[: len(before)]


@given(st.lists(st.sampled_from([None, *(f"w{n}" for n in range(12))]), max_size=40), st.data())
def test_many_strings_are_looked_up_as_few_are(texts: list[str | None], data) -> None:
    columns = Columns(SCHEMA)
    tags = [text and (text, "all") for text in texts]
    columns.append({"country": texts, "topics": tags}, len(texts))
    known = sorted({"unknown", *filter(None, texts)})
    wanted = data.draw(st.lists(st.sampled_from(known), min_size=len(known) // 2 + 1))
    for field in ("country", "topics"):
        mask = parse({"field": field, "in": wanted}, SCHEMA).mask(columns, len(texts))
        assert mask.tolist() == [text in wanted for text in texts]


@given(FILTERS)
def test_filters_that_say_the_same_are_equal(json: Any) -> None:
    try:
        one, other = parse(json, SCHEMA), parse(json, SCHEMA)
    except FilterError:
        return
    assert one == other and hash(one) == hash(other)
