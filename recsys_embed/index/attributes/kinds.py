"""What each kind of attribute takes, brought to plain values or refused."""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes.schema import Kind

NOTHING = type(None)
EXPECTED: Mapping[Kind, str] = {
    "str": "a string of Unicode characters",
    "int": "an integer of 64 bits",
    "float": "a finite number",
    "bool": "true or false",
    "tags": "a list of strings",
}


def plain(given: Any) -> Any:
    """Gives arrays and scalars of numpy as what Python has for them, all else as it is."""
    return given.tolist() if isinstance(given, np.ndarray | np.generic) else given


def _scalars(kind: Kind, *types: type) -> Callable[[str, list[Any]], list[Any]]:
    """Gives the check of values whose types must be among these, quick where they all are."""

    def check(name: str, values: list[Any]) -> list[Any]:
        if set(map(type, values)) <= {*types, NOTHING}:
            return values
        return [_scalar(name, at, value) for at, value in enumerate(values)]

    def _scalar(name: str, at: int, value: Any) -> Any:
        came = plain(value)
        if came is None or type(came) in types:
            return came
        raise _refused(name, at, kind, value)

    return check


def _refused(name: str, at: int, kind: Kind, value: Any) -> AttributesError:
    return AttributesError(
        f"attribute {name!r} of item {at} must be {EXPECTED[kind]}, or None; got {value!r:.80}"
    )


def _texts(name: str, values: list[Any]) -> list[Any]:
    texts = _of_text(name, values)
    if not is_utf8("".join(filter(None, texts))):
        at = next(i for i, text in enumerate(texts) if text is not None and not is_utf8(text))
        raise _refused(name, at, "str", texts[at])
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
    """Looks at all tags at once where they come as plain lists, and at each where they do not."""
    if set(map(type, values)) <= {list, tuple, NOTHING}:
        tags = list(itertools.chain.from_iterable(filter(None, values)))
        if set(map(type, tags)) <= {str} and is_utf8("".join(tags)):
            return [None if given is None else tuple(dict.fromkeys(given)) for given in values]
    return [None if given is None else _tagged(name, at, given) for at, given in enumerate(values)]


def _tagged(name: str, at: int, given: Any) -> tuple[str, ...]:
    came = plain(given)
    if not isinstance(came, list | tuple | set | frozenset):
        raise _refused(name, at, "tags", given)
    ordered = sorted(came, key=str) if isinstance(came, set | frozenset) else came
    if not all(type(tag) is str and is_utf8(tag) for tag in ordered):
        raise _refused(name, at, "tags", given)
    return tuple(dict.fromkeys(ordered))


_of_text = _scalars("str", str)
_of_int = _scalars("int", int)
_of_number = _scalars("float", float, int)
CHECKS: Mapping[Kind, Callable[[str, list[Any]], list[Any]]] = {
    "str": _texts,
    "int": _ints,
    "float": _floats,
    "bool": _scalars("bool", bool),
    "tags": _tags,
}
