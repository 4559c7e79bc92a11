"""Attributes as callers give them, checked one attribute after the other."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recsys_embed.config import near
from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes.kinds import CHECKS, plain
from recsys_embed.index.attributes.schema import Schema

Values = Mapping[str, Sequence[Any]]


def checked(values: Values | None, schema: Schema, count: int) -> dict[str, list[Any]]:
    """Gives the attributes of `count` items as plain values; checking them twice changes nothing.

    Args:
        values: by attribute one value an item, None where it has none; attributes that are left
            out are absent from all items. numpy arrays and numpy scalars are taken as well.
        schema: their kinds. A float may be given as an int; nothing else is converted.
        count: how many items there are.

    Returns:
        By attribute a list of str, int, float, bool, tuple of distinct str (tags), or None.

    Raises:
        AttributesError: for an attribute that the schema lacks (the near ones are named), too few
            or too many values, or a value of another kind (with its position).

    Example:
        >>> checked({"price": [2, None]}, Schema({"price": "float"}), count=2)
        {'price': [2.0, None]}
    """
    return {name: _column(name, given, schema, count) for name, given in (values or {}).items()}


def by_attribute(rows: Iterable[Mapping[str, Any] | None]) -> dict[str, list[Any]]:
    """Turns attributes item by item into values attribute by attribute, None where one is absent.

    Example:
        >>> by_attribute([{"price": 2.0}, None, {"country": "FR"}])
        {'price': [2.0, None, None], 'country': [None, None, 'FR']}
    """
    items = [row or {} for row in rows]
    names = dict.fromkeys(name for item in items for name in item)
    return {name: [item.get(name) for item in items] for name in names}


def _column(name: str, given: Any, schema: Schema, count: int) -> list[Any]:
    if name not in schema.kinds:
        raise AttributesError(
            f"items have no attribute {name!r}; {near(str(name), list(schema.kinds))}"
        )
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__len__"):
        raise AttributesError(f"attribute {name!r} must be a list of values, got {given!r:.80}")
    if len(given) != count:
        raise AttributesError(
            f"attribute {name!r} needs one value an item, {count}, got {len(given)}"
        )
    return CHECKS[schema.kinds[name]](name, list(plain(given)))
