"""What travels as JSON. Requests are checked strictly: nothing coerced, nothing unknown."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema

from serving.lookup import Policy

FLOAT32_MAX = 3.4028234663852886e38

RAW_IDS_EXAMPLE = [85123, "85123A", -(2**63)]


class _SaysOnce:
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
    _SaysOnce("an integer in [-2^63, 2^63) or a string"),
]
DecimalId = Annotated[str, Field(pattern=r"^-?[0-9]{1,19}$")]
Float32 = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
MissingRule = Annotated[
    Policy | Annotated[list[Float32], Field(min_length=1)],
    _SaysOnce("'initial', 'zeros', 'error' or a vector of finite float32 numbers"),
]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class LookupRequest(Strict):
    """Ids to look up: either `ids` or `decimal_ids`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["ids"]}, {"required": ["decimal_ids"]}]}
    )

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
    missing: MissingRule = Field(
        "initial",
        description="for an id without a row: its value at birth, zeros, a problem, or this vector",
    )

    @model_validator(mode="after")
    def _one_kind_of_ids(self) -> Self:
        if len(self.model_fields_set & {"ids", "decimal_ids"}) != 1:
            raise ValueError("expected either ids or decimal_ids")
        return self


class TableLookup(LookupRequest):
    """Ids to look up in one of several tables."""

    table: str = Field(description="name of a table", examples=["item"])


class LookupsRequest(Strict):
    """Lookups to answer in one call, from one snapshot; a table may occur more than once."""

    lookups: list[TableLookup] = Field(min_length=1, max_length=64)


class Told(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


Status = Literal["found", "missing"]


class TableAnswer(Told):
    """Vectors of one table, in the order of the ids asked, duplicates kept."""

    table: str
    dim: int
    status: list[Status] = Field(description="one an id")
    vectors: list[list[float | None]] = Field(
        description="one an id; each number is the shortest that reads back as the same float32;"
        " null stands for a weight that is not finite"
    )


class LookupResponse(TableAnswer):
    """Vectors and the snapshot they come from."""

    snapshot_version: str


class LookupsResponse(Told):
    """One answer a lookup, in the order asked, all from one snapshot."""

    snapshot_version: str
    lookups: list[TableAnswer]


class TableInfo(Told):
    """What a table is."""

    name: str
    dim: int
    rows: int
    config: dict[str, Any] = Field(description="the configuration it was trained with")


class TableResponse(TableInfo):
    """What a table is, and the snapshot that holds it."""

    snapshot_version: str


class TablesResponse(Told):
    """The tables of the snapshot, by name."""

    snapshot_version: str
    tables: list[TableInfo]


class InfoResponse(Told):
    """What this server is and what it allows."""

    name: Literal["recsys-serve"] = "recsys-serve"
    library_version: str
    snapshot_version: str
    tables: list[str]
    formats: list[str]
    max_ids: int
    max_body_bytes: int


class LiveResponse(Told):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyResponse(Told):
    """The process can answer lookups."""

    status: Literal["ready"] = "ready"
    snapshot_version: str


class Problem(BaseModel):
    """A refusal, by RFC 9457; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    snapshot_version: str | None = Field(None, description="absent before a snapshot is loaded")
    errors: list[dict[str, Any]] | None = Field(
        None, description="what is wrong where, for invalid_request"
    )
    ids: list[int | str] | None = Field(
        None, description="the first ids without a row, for missing_ids"
    )
    missing_count: int | None = Field(None, description="how many ids have no row, for missing_ids")
