"""Requests as JSON, checked strictly: nothing coerced, nothing unknown."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema

from recsys_embed.semantic_ids.codebooks import MAX_CODES
from serving.asked import Policy

FLOAT32_MAX = 3.4028234663852886e38

RAW_IDS_EXAMPLE = [85123, "85123A", -(2**63)]


class SaysOnce:
    """Makes a union say one sentence for a wrong value, rather than one for each member."""

    def __init__(self, expected: str) -> None:
        self.expected = expected

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: Any = dict(handler(source))
        return {
            **schema,
            "custom_error_type": "wrong_value",
            "custom_error_message": f"expected {self.expected}",
        }


RawId = Annotated[
    Annotated[int, Field(ge=-(2**63), lt=2**63)] | str,
    SaysOnce("an integer in [-2^63, 2^63) or a string"),
]
DecimalId = Annotated[str, Field(pattern=r"^-?[0-9]{1,19}$")]
Code = Annotated[int, Field(ge=0, lt=MAX_CODES)]
Float32 = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
MissingRule = Annotated[
    Policy | Annotated[list[Float32], Field(min_length=1)],
    SaysOnce("'initial', 'zeros', 'error' or a vector of finite float32 numbers"),
]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


KINDS = ("ids", "decimal_ids", "contents", "semantic_ids")


class LookupRequest(Strict):
    """What to look up: exactly one of `ids`, `decimal_ids`, `contents` and `semantic_ids`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]})

    ids: list[RawId] = Field(
        [],
        description="an integer is an id as it is; a string is a raw value, hashed as in training",
        examples=[RAW_IDS_EXAMPLE],
    )
    decimal_ids: list[DecimalId] = Field(
        [],
        description="int64 ids written as decimal strings, for clients whose numbers are floats",
        examples=[["9223372036854775807"]],
    )
    contents: list[list[Float32]] = Field(
        [],
        description="content vectors of items, seen in training or not, where a table has semantic"
        " IDs: they are encoded by its codebooks",
        examples=[[[0.25, -1.5]]],
    )
    semantic_ids: list[list[Code]] = Field(
        [],
        description="semantic IDs of items, seen in training or not, all codes of each",
        examples=[[[12, 7, 255]]],
    )
    feature: str = Field(
        default_factory=str,
        description="whose ids they are, where a table's row map tells its features apart;"
        " the table's first if left out",
        examples=["user"],
    )
    missing: MissingRule = Field(
        "initial",
        description="for an id without a row: its value at birth, zeros, a problem, or this vector",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if kind in self.model_fields_set]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise ValueError(f"expected exactly one of {', '.join(KINDS)}, got {got}")
        return self


class TableLookup(LookupRequest):
    """What to look up in one of several tables."""

    table: str = Field(description="name of a table", examples=["item"])


class LookupsRequest(Strict):
    """Lookups to answer in one call, from one snapshot; a table may occur more than once."""

    lookups: list[TableLookup] = Field(min_length=1, max_length=64)
