"""Filters that no item can satisfy."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial

from recsys_embed.errors import FilterError
from recsys_embed.index.attributes.schema import Kind, Schema
from recsys_embed.index.filters.predicates import (
    AllOf,
    AnyOf,
    Exists,
    Not,
    OneOf,
    Predicate,
    Within,
)
from recsys_embed.index.filters.values import FLOAT_HIGH, INT_HIGH, INT_LOW

Literal = tuple[Predicate, bool]  # what must hold, or must not
RANGES: dict[Kind, tuple[float, float]] = {
    "int": (INT_LOW, INT_HIGH),
    "float": (-FLOAT_HIGH, FLOAT_HIGH),
}


class Search:
    """Looks for values that satisfy conditions, until it has compared so many."""

    def __init__(self, schema: Schema, comparisons: int) -> None:
        self.schema, self._left = schema, comparisons

    def finds_none(self, field: str, literals: Sequence[Literal]) -> bool:
        """Tells whether no value of a field satisfies them, as far as that can still be told."""
        comparisons = _comparisons(literals)
        if comparisons > self._left:
            return False
        self._left -= comparisons
        return not _has_value(self.schema.kinds[field], literals)


def refuse_contradictions(predicate: Predicate, schema: Schema, comparisons: int) -> None:
    """Refuses what must hold together and cannot, or a branch of an `or` that never holds.

    Found are ranges and sets of values without a common one, what is both asked for and excluded,
    values of an absent field, and an `or` all of whose branches are excluded by what stands beside
    it. With several `or` beside each other, each is weighed by itself.

    Args:
        predicate: to look at.
        schema: the attributes that items have.
        comparisons: of values, after which no further contradiction is looked for.

    Raises:
        FilterError: naming the conditions that exclude each other.
    """
    _refuse(predicate, True, Search(schema, comparisons))


def _refuse(predicate: Predicate, holds: bool, search: Search) -> None:
    literals = list(_together(predicate, holds))
    if excluded := _excluded(literals, search):
        raise _contradiction(excluded)
    for choice, its_holds in literals:
        branches = getattr(choice, "parts", ())
        for branch in branches:
            _refuse(branch, its_holds, search)
        ways = [_excluded([*literals, *_together(b, its_holds)], search) for b in branches]
        if ways and all(ways):
            raise _contradiction(ways[0])


def _together(predicate: Predicate, holds: bool) -> Iterator[Literal]:
    """Gives what must hold, or must not, for the predicate to do so: through and, not, not or."""
    if isinstance(predicate, Not):
        yield from _together(predicate.part, not holds)
    elif isinstance(predicate, AllOf if holds else AnyOf):
        for part in predicate.parts:
            yield from _together(part, holds)
    else:
        yield predicate, holds


def _excluded(literals: Sequence[Literal], search: Search) -> Sequence[Literal]:
    """Gives literals on one field that leave it no value, as few of the first as do so."""
    by_field = dict[str, list[Literal]]()
    for one in literals:
        if (name := getattr(one[0], "field", None)) is not None:
            by_field.setdefault(name, []).append(one)
    for name, of_field in by_field.items():
        if search.finds_none(name, of_field):
            fewer = range(1, len(of_field))
            key = partial(_is_enough, search, name, of_field)
            return of_field[: 1 + bisect_left(fewer, True, key=key)]
    return ()


def _is_enough(search: Search, field: str, literals: Sequence[Literal], count: int) -> bool:
    return search.finds_none(field, literals[:count])


def _comparisons(literals: Sequence[Literal]) -> int:
    """Bounds how often values are compared in looking for one that satisfies literals."""
    values = sum(len(one.values) for one, _ in literals if isinstance(one, OneOf))
    ranges = sum(isinstance(one, Within) for one, holds in literals if not holds)
    return len(literals) + values * (1 + ranges)


def _has_value(kind: Kind, literals: Sequence[Literal]) -> bool:
    asked = [one for one, holds in literals if holds]
    denied = [one for one, holds in literals if not holds]
    if not asked:
        return True  # an item without this field satisfies whatever is only denied
    if any(isinstance(one, Exists) for one in denied):
        return False
    excluded = {value for one in denied if isinstance(one, OneOf) for value in one.values}
    sets = [set(one.values) for one in asked if isinstance(one, OneOf)]
    if kind == "tags":
        return not any(values <= excluded for values in sets)
    if kind == "bool":
        sets.append({False, True})
    low, high = _range(kind, [one for one in asked if isinstance(one, Within)])
    if kind in RANGES:
        if low > high:
            return False
        sets += [{low}] if low == high else []
        gone = [_range(kind, [one]) for one in denied if isinstance(one, Within)]
        if any(a <= low and high <= b for a, b in gone):
            return False
        sets = [{v for v in values if low <= v <= high and not _within(v, gone)} for values in sets]
    return not sets or bool(set.intersection(*sets) - excluded)


def _range(kind: Kind, bounds: Sequence[Within]) -> tuple[float, float]:
    least, most = RANGES.get(kind, (0, 0))
    low = max([least, *(one.low for one in bounds if one.low is not None)])
    return low, min([most, *(one.high for one in bounds if one.high is not None)])


def _within(value: float, ranges: Sequence[tuple[float, float]]) -> bool:
    return any(low <= value <= high for low, high in ranges)


def _contradiction(literals: Sequence[Literal]) -> FilterError:
    said = [(getattr(one, "said", ""), holds) for one, holds in literals]
    spelled = [words if holds else f"not ({words})" for words, holds in said]
    return FilterError(f"the filter contradicts itself, no item can match: {' and '.join(spelled)}")
