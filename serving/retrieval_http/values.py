"""Values of requests: ids, vectors, features, attributes and filters, as far as JSON shows them."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from serving.schemas import Float32, SaysOnce

LEAST, MOST = -(2**63), 2**63 - 1
NO_NUL = r"^[^\x00]*$"
TEXT: dict[str, Any] = {"type": "string", "pattern": NO_NUL}
INT64 = {"type": "integer", "minimum": LEAST, "maximum": MOST}
NUMBER = {"type": "number"}

Text = Annotated[str, Field(pattern=NO_NUL)]
NamedId = Annotated[
    Annotated[int, Field(ge=LEAST, le=MOST)] | Text,
    SaysOnce("an integer in [-2^63, 2^63) or a string without NUL"),
]
DecimalId = Annotated[str, Field(pattern=r"^-?[0-9]{1,19}$", examples=["9223372036854775807"])]
Vector = Annotated[list[Float32], Field(min_length=1, max_length=65_536)]


def plain(value: Any) -> Any:
    """Passes JSON on whose numbers and texts fit everything behind.

    Raises:
        PydanticCustomError: for numbers that are not finite or beyond int64, and texts with NUL.
    """
    if isinstance(value, dict):
        for name, one in value.items():
            plain(name)
            plain(one)
    elif isinstance(value, list):
        for one in value:
            plain(one)
    elif isinstance(value, str):
        if "\0" in value:
            raise PydanticCustomError("unfit", "expected text without NUL")
    elif isinstance(value, int) and not LEAST <= value <= MOST:
        raise PydanticCustomError("unfit", "expected integers in [-2^63, 2^63)")
    elif isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("unfit", "expected finite numbers")
    return value


def _values(*kinds: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"pattern": NO_NUL},
        "additionalProperties": {"anyOf": [*kinds, {"type": "null"}]},
    }


Plain = Annotated[Any, AfterValidator(plain)]
Features = Annotated[
    dict[Text, Plain],
    WithJsonSchema(
        _values(TEXT, INT64, NUMBER, {"type": "array", "items": {"anyOf": [TEXT, INT64]}})
    ),
]
Attributes = Annotated[
    dict[Text, Plain],
    WithJsonSchema(
        _values(TEXT, INT64, NUMBER, {"type": "boolean"}, {"type": "array", "items": TEXT})
    ),
]
_NESTED = {"$ref": "#/components/schemas/Filter"}
_SEVERAL = {"type": "array", "items": _NESTED, "minItems": 1}
_ONE_VALUE = {"anyOf": [TEXT, INT64, NUMBER, {"type": "boolean"}]}
_BOUND = {"anyOf": [INT64, NUMBER]}
_TESTS = {
    "eq": _ONE_VALUE,
    "in": {"type": "array", "items": _ONE_VALUE, "minItems": 1},
    **dict.fromkeys(("gt", "gte", "lt", "lte"), _BOUND),
    "exists": {"type": "boolean"},
}


def _object(properties: dict[str, Any], required: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
        **more,
    }


_FILTER = {
    "description": "A test of one attribute, or several tests joined. A value that is absent"
    " satisfies nothing but exists: false, and what is joined by not.",
    "oneOf": [
        _object({"and": _SEVERAL}, "and"),
        _object({"or": _SEVERAL}, "or"),
        _object({"not": _NESTED}, "not"),
        _object({"field": TEXT, **_TESTS}, "field", minProperties=2),
    ],
    "examples": [
        {"and": [{"field": "price", "gte": 1, "lt": 10}, {"field": "country", "in": ["France"]}]}
    ],
}
Filter = TypeAliasType(
    "Filter", Annotated[dict[str, Any], AfterValidator(plain), WithJsonSchema(_FILTER)]
)
