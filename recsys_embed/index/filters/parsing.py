"""Filters as JSON."""

from collections.abc import Mapping
from typing import Any

from recsys_embed.config import near
from recsys_embed.errors import FilterError
from recsys_embed.index.attributes.schema import Schema
from recsys_embed.index.filters.conditions import condition
from recsys_embed.index.filters.contradictions import refuse_contradictions
from recsys_embed.index.filters.limits import Limits
from recsys_embed.index.filters.predicates import AllOf, AnyOf, Not, Predicate

FORMS = ("and", "or", "not", "field")
LIMITS = Limits()


def parse(json: Any, schema: Schema, limits: Limits = LIMITS) -> Predicate:
    """Reads a filter: what it gives holds for an item exactly if the filter does.

    A filter is `{"and": [filter, …]}`, `{"or": [filter, …]}`, `{"not": filter}`, or a condition on
    a field by one operator or more: `eq`, `in`, `exists` for every kind, `gt`, `gte`, `lt`, `lte`
    for numbers. Of tags, one that fits is enough. An absent value satisfies no condition but
    `{"exists": false}`.

    Args:
        json: plain JSON values.
        schema: the attributes that items have.
        limits: how large the filter may be.

    Raises:
        FilterError: for anything that is no filter, an unknown field or operator (the near ones are
            named), a value of another kind, a filter past the limits, or one that contradicts
            itself.

    Example:
        >>> from recsys_embed.index.attributes import Columns
        >>> schema = Schema({"price": "float", "countries": "tags"})
        >>> columns = Columns(schema)
        >>> columns.append({"price": [2, 9, None], "countries": [["FR", "DE"], ["DE"], []]}, 3)
        >>> cheap = {"field": "price", "gt": 0, "lt": 5}
        >>> parse({"and": [cheap, {"field": "countries", "eq": "FR"}]}, schema).mask(columns, 3)
        array([ True, False, False])
    """
    _check_size(json, limits)
    predicate = _read(json, schema, "where")
    refuse_contradictions(predicate, schema, limits.comparisons)
    return predicate


def _check_size(json: Any, limits: Limits) -> None:
    """Walks the filter level by level, so that no depth of it can exhaust the stack."""
    level, parts, values = [json], 0, 0
    for _ in range(limits.depth):
        parts, values = parts + len(level), values + sum(_values(one) for one in level)
        if parts > limits.parts:
            raise FilterError(f"a filter may have {limits.parts} parts, got at least {parts}")
        if values > limits.values:
            raise FilterError(f"a filter may list {limits.values} values, got at least {values}")
        level = [part for one in level for part in _parts(one)]
        if not level:
            return
    raise FilterError(f"a filter may be {limits.depth} deep, got a deeper one")


def _parts(json: Any) -> list[Any]:
    if not isinstance(json, Mapping):
        return []
    lists = [part for form in ("and", "or") if isinstance(part := json.get(form), list | tuple)]
    return [*(part for parts in lists for part in parts), *([json["not"]] if "not" in json else [])]


def _values(json: Any) -> int:
    listed = json.get("in") if isinstance(json, Mapping) else None
    return len(listed) if isinstance(listed, list | tuple) else 0


def _read(json: Any, schema: Schema, where: str) -> Predicate:
    form = _form(json, where)
    if form == "field":
        return condition(json, schema, where)
    if form == "not":
        return Not(_read(json["not"], schema, f"{where}.not"))
    parts = json[form]
    if not isinstance(parts, list | tuple) or not parts:
        raise FilterError(
            f"{where}.{form} must be a list of at least one filter, got {parts!r:.80}"
        )
    read = tuple(_read(part, schema, f"{where}.{form}[{i}]") for i, part in enumerate(parts))
    return AllOf(read) if form == "and" else AnyOf(read)


def _form(json: Any, where: str) -> str:
    if not isinstance(json, Mapping):
        raise FilterError(
            f'{where} must be an object such as {{"field": …, "eq": …}}, got {json!r:.80}'
        )
    forms = [form for form in FORMS if form in json]
    if forms == ["field"] or len(forms) == 1 == len(json):
        return forms[0]
    if forms:
        raise FilterError(f"{where} must have one of and, or, not alone, got {sorted(json)!s:.80}")
    raise FilterError(
        f"{where} must have one of {', '.join(FORMS)}, got {(sorted(json) or 'nothing')!s:.80};"
        f" {near(str(next(iter(json), '')), FORMS)}"
    )
