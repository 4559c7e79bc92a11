"""Values in filters, brought to the kind of their attribute or refused."""

import math
import sys
from typing import Any

from recsys_embed.errors import FilterError
from recsys_embed.index.attributes.kinds import EXPECTED, is_finite
from recsys_embed.index.attributes.schema import Kind

INT_LOW, INT_HIGH = -(2**63), 2**63 - 1
FLOAT_HIGH = sys.float_info.max
PLAIN: dict[Kind, type] = {"str": str, "tags": str, "bool": bool}


def value_of(value: Any, kind: Kind, where: str) -> Any:
    """Gives a value that an attribute of this kind can have.

    Raises:
        FilterError: for any other.
    """
    if kind in PLAIN:
        if type(value) is PLAIN[kind]:
            return value
    elif is_number(value) and kind == "float":
        return float(value)
    elif is_number(value) and value == int(value) and INT_LOW <= value <= INT_HIGH:
        return int(value)
    expected = "a string" if PLAIN.get(kind) is str else EXPECTED[kind]
    raise FilterError(f"{where} must be {expected}, got {value!r:.80}")


def is_number(value: Any) -> bool:
    """Tells whether a value is a finite number; true and false are none."""
    return type(value) in (int, float) and is_finite(value)


def lowest(operator: str, bound: Any, kind: Kind, where: str) -> float:
    """Gives the least value of a kind that is > or >= a bound; above all values if there is none.

    Raises:
        FilterError: for a bound that is no number.
    """
    number = _bound(bound, where)
    if kind == "int":
        return max(INT_LOW, math.ceil(number) if operator == "gte" else math.floor(number) + 1)
    return float(number) if operator == "gte" else math.nextafter(number, math.inf)


def highest(operator: str, bound: Any, kind: Kind, where: str) -> float:
    """Gives the greatest value of a kind that is < or <= a bound; below all if there is none.

    Raises:
        FilterError: for a bound that is no number.
    """
    number = _bound(bound, where)
    if kind == "int":
        return min(INT_HIGH, math.floor(number) if operator == "lte" else math.ceil(number) - 1)
    return float(number) if operator == "lte" else math.nextafter(number, -math.inf)


def _bound(bound: Any, where: str) -> float:
    if not is_number(bound):
        raise FilterError(f"{where} must be a finite number, got {bound!r:.80}")
    return bound  # type: ignore[no-any-return]
