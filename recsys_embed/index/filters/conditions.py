"""Conditions on one field."""

from collections.abc import Mapping
from typing import Any

from recsys_embed.config import near
from recsys_embed.errors import FilterError
from recsys_embed.index.attributes.schema import Kind, Schema
from recsys_embed.index.filters.predicates import AllOf, Exists, Not, OneOf, Predicate, Within
from recsys_embed.index.filters.values import highest, lowest, value_of

LOWER, UPPER = ("gt", "gte"), ("lt", "lte")
SAME = ("eq", "in", "exists")
OPERATORS: Mapping[Kind, tuple[str, ...]] = {
    "str": SAME,
    "int": (*SAME, *LOWER, *UPPER),
    "float": (*SAME, *LOWER, *UPPER),
    "bool": SAME,
    "tags": SAME,
}


def condition(json: Mapping[str, Any], schema: Schema, where: str) -> Predicate:
    """Reads `{"field": …}` with one operator or more, all of which must hold.

    Raises:
        FilterError: for an unknown field, an operator that its kind lacks, or another value.
    """
    name = _field(json["field"], schema, where)
    kind = schema.kinds[name]
    asked = {operator: value for operator, value in json.items() if operator != "field"}
    for operator in asked:
        _check_operator(operator, name, kind, where)
    if not asked:
        raise FilterError(
            f"{where} needs an operator for {name!r}, one of {', '.join(OPERATORS[kind])}"
        )
    parts = [_part(name, kind, operator, asked[operator], where) for operator in asked]
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _field(name: Any, schema: Schema, where: str) -> str:
    if not isinstance(name, str) or name not in schema.kinds:
        raise FilterError(
            f"{where} asks for field {name!r:.80}, which items lack; "
            f"{near(str(name), list(schema.kinds))}"
        )
    return name


def _check_operator(operator: str, name: str, kind: Kind, where: str) -> None:
    if operator not in OPERATORS[kind]:
        raise FilterError(
            f"{where} asks {name!r}, of kind {kind}, for {operator!r:.80};"
            f" {near(str(operator), OPERATORS[kind])}"
        )


def _part(name: str, kind: Kind, operator: str, value: Any, where: str) -> Predicate:
    at, said = f"{where}.{operator}", f"{name} {operator} {value!r:.60}"
    if operator in LOWER:
        return Within(name, lowest(operator, value, kind, at), None, said)
    if operator in UPPER:
        return Within(name, None, highest(operator, value, kind, at), said)
    if operator == "exists":
        return _existence(name, value, at, said)
    values = [value] if operator == "eq" else _list(value, at)
    return OneOf(name, tuple(sorted({value_of(one, kind, at) for one in values})), said)


def _existence(name: str, value: Any, where: str, said: str) -> Predicate:
    if type(value) is not bool:
        raise FilterError(f"{where} must be true or false, got {value!r:.80}")
    return Exists(name, said) if value else Not(Exists(name, f"{name} exists True"))


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{where} must be a list of at least one value, got {value!r:.80}")
    return list(value)
