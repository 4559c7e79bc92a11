"""Attributes as callers give them, brought to the plain values of their kinds or refused."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recsys_embed.config import near
from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes.schema import Kind, Schema

Values = Mapping[str, Sequence[Any]]
NOTHING = type(None)
EXPECTED: Mapping[Kind, str] = {
    "str": "a string of Unicode characters",
    "int": "an integer of 64 bits",
    "float": "a finite number",
    "bool": "true or false",
    "tags": "a list of strings",
}


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
        raise AttributesError(f"attribute {name!r} must be a list of values, got {given!r}")
    if len(given) != count:
        raise AttributesError(
            f"attribute {name!r} needs one value an item, {count}, got {len(given)}"
        )
    return _CHECKS[schema.kinds[name]](name, list(_plain(given)))


def _plain(given: Any) -> Any:
    return given.tolist() if isinstance(given, np.ndarray | np.generic) else given


def _scalars(kind: Kind, *types: type) -> Callable[[str, list[Any]], list[Any]]:
    """Gives the check of values whose types must be among these, quick where they all are."""

    def check(name: str, values: list[Any]) -> list[Any]:
        if set(map(type, values)) <= {*types, NOTHING}:
            return values
        return [_scalar(name, at, value) for at, value in enumerate(values)]

    def _scalar(name: str, at: int, value: Any) -> Any:
        plain = _plain(value)
        if plain is None or type(plain) in types:
            return plain
        raise _refused(name, at, kind, value)

    return check


def _refused(name: str, at: int, kind: Kind, value: Any) -> AttributesError:
    return AttributesError(
        f"attribute {name!r} of item {at} must be {EXPECTED[kind]}, or None; got {value!r}"
    )


def _texts(name: str, values: list[Any]) -> list[Any]:
    texts = _of_text(name, values)
    try:
        "".join(text for text in texts if text is not None).encode()
    except UnicodeEncodeError:
        at = next(i for i, text in enumerate(texts) if text is not None and not is_utf8(text))
        raise _refused(name, at, "str", texts[at]) from None
    return texts


def is_utf8(text: str) -> bool:
    """Tells whether a string has a UTF-8 spelling: half of a surrogate pair has none."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _ints(name: str, values: list[Any]) -> list[Any]:
    ints = _of_int(name, values)
    for at, value in enumerate(ints):
        if value is not None and not -(2**63) <= value < 2**63:
            raise _refused(name, at, "int", value)
    return ints


def _floats(name: str, values: list[Any]) -> list[Any]:
    numbers = _of_number(name, values)
    if not all(is_finite(value) for value in numbers if value is not None):
        at = next(i for i, v in enumerate(numbers) if v is not None and not is_finite(v))
        raise _refused(name, at, "float", numbers[at])
    return [value if value is None else float(value) for value in numbers]


def is_finite(value: int | float) -> bool:
    """Tells whether a number is, or rounds to, a finite float of 64 bits."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False


def _tags(name: str, values: list[Any]) -> list[Any]:
    return [None if given is None else _tagged(name, at, given) for at, given in enumerate(values)]


def _tagged(name: str, at: int, given: Any) -> tuple[str, ...]:
    plain = _plain(given)
    if not isinstance(plain, list | tuple | set | frozenset):
        raise _refused(name, at, "tags", given)
    ordered = sorted(plain, key=str) if isinstance(plain, set | frozenset) else plain
    if not all(type(tag) is str and is_utf8(tag) for tag in ordered):
        raise _refused(name, at, "tags", given)
    return tuple(dict.fromkeys(ordered))


_of_text = _scalars("str", str)
_of_int = _scalars("int", int)
_of_number = _scalars("float", float, int)
_CHECKS: Mapping[Kind, Callable[[str, list[Any]], list[Any]]] = {
    "str": _texts,
    "int": _ints,
    "float": _floats,
    "bool": _scalars("bool", bool),
    "tags": _tags,
}
