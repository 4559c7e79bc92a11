"""Answers as JSON."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


Status = Literal["found", "missing"]


class TableAnswer(Told):
    """Vectors of one table, in the order asked, duplicates kept."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    table: str
    dim: int = Field(description="numbers of a vector")
    status: list[Status] = Field(description="one an id")
    vectors: list[list[float | None]] = Field(
        description="one an id; each number is the shortest that reads back as the same float32;"
        " null stands for a weight that is not finite"
    )
    semantic_ids: list[list[int]] | None = Field(
        None, description="one a vector, where contents or semantic_ids were asked; else absent"
    )


class LookupResponse(TableAnswer):
    """Vectors and the snapshot they come from."""

    snapshot_version: str


class LookupsResponse(Told):
    """One answer a lookup, in the order asked, all from one snapshot."""

    snapshot_version: str
    lookups: list[TableAnswer]


class SemanticIdsInfo(Told):
    """What a table's semantic IDs are."""

    levels: int = Field(description="codes of one")
    codes_per_level: int
    content_dim: int = Field(description="numbers of a content vector")
    items: int = Field(description="items whose semantic IDs the table knows")
    codebooks: str = Field(description="their version: equal ones give equal codes")


class TableInfo(Told):
    """What a table is."""

    name: str
    dim: int = Field(description="weights of a row")
    rows: int
    row_map: str = Field(description="how an id becomes rows", examples=["collisionless"])
    vector_dims: dict[str, int] = Field(description="numbers of a vector, feature by feature")
    semantic_ids: SemanticIdsInfo | None = Field(description="null where it has none")
    config: dict[str, Any] = Field(description="the configuration it was trained with")


class TableResponse(TableInfo):
    """What a table is, and the snapshot that holds it."""

    snapshot_version: str


class TablesResponse(Told):
    """The tables of the snapshot, by name."""

    snapshot_version: str
    tables: list[TableInfo]


class ItemsResponse(Told):
    """Items under a prefix, in the order of their semantic IDs; one of each list an item."""

    table: str
    prefix: list[int]
    total: int = Field(description="items under the prefix, listed or not")
    ids: list[int]
    decimal_ids: list[str] = Field(
        description="the ids once more, for clients whose numbers are floats"
    )
    semantic_ids: list[list[int]]
    snapshot_version: str


class Following(Told):
    """What a server follows, and where it stands."""

    log: str
    replica: str = Field(description="its name in the log")
    lineage: str
    number: int = Field(description="the entry that is served")
    base: int = Field(description="the entry of the snapshot beneath")
    snapshot: str = Field(description="where that snapshot is")
    layers: int
    layer_bytes: int
    lag_entries: int
    lag_seconds: float = Field(description="how long something may have been waiting")
    reason: str | None = Field(description="what keeps it from going on; null while nothing does")


class InfoResponse(Told):
    """What this server is and what it allows."""

    name: Literal["recsys-serve"] = "recsys-serve"
    library_version: str
    snapshot_version: str
    tables: list[str]
    indexes: list[str]
    formats: list[str] = Field(description="of vectors looked up, as Accept names them")
    max_ids: int
    max_body_bytes: int
    max_k: int
    max_queries: int
    max_items: int
    read_only: bool = Field(description="whether writes to indexes are refused")
    following: Following | None = Field(description="null where one snapshot is served")


class LiveResponse(Told):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyResponse(Told):
    """The process can answer lookups."""

    status: Literal["ready", "degraded"] = Field(
        default="ready", description="degraded: what is served stays as it is, reason says why"
    )
    snapshot_version: str
    reason: str | None = Field(
        default=None,
        description="what keeps it from following, or the newest towers from serving; null while"
        " nothing does",
    )
    lag_entries: int = Field(default=0, description="entries of the log that it has yet to apply")
    lag_seconds: float = Field(default=0.0, description="how long something may have been waiting")


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
