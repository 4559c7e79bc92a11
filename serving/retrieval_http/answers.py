"""Answers as JSON."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from serving.responses import Told


class Contribution(Told):
    """What one part of a query adds to a candidate's score."""

    kind: Literal["input", "dimension"] = Field(
        description="input: the score less what it is without this feature, so amounts need not add"
        " up; dimension: its share of the inner product"
    )
    name: str = Field(description="of the feature, or the number of the dimension")
    amount: float


class Candidates(Told):
    """The best items, best first; one of each list an item."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    index: str
    index_version: str
    tower_version: str = Field(description="of the item vectors that were searched")
    query_version: str = Field(description="of the tower that made the query")
    bridged: bool = Field(description="whether the query was carried from one to the other")
    exact: bool = Field(description="whether no better item can have been missed")
    plan: str = Field(description="how it was searched, for people")
    searched: int = Field(description="items of the index")
    filtered: int = Field(description="of those, kept out by filter and exclude")
    below: int = Field(description="found, but left out by score_threshold or min_probability")
    ids: list[int]
    decimal_ids: list[str] = Field(
        description="the ids once more, for clients whose numbers are floats"
    )
    names: list[str | None] | None = Field(None, description="absent where the index has none")
    scores: list[float]
    probabilities: list[float] | None = Field(
        None, description="to be relevant; absent where the index is not calibrated"
    )
    vectors: list[list[float]] | None = Field(None, description="with 'vector'; else absent")
    attributes: list[dict[str, Any]] | None = Field(
        None, description="with 'attributes'; else absent"
    )
    explanations: list[list[Contribution]] | None = Field(
        None, description="with 'explain', the largest contributions first; else absent"
    )


class CandidatesResponse(Candidates):
    """The best items, and the snapshot that the query was read from."""

    snapshot_version: str


class BatchResponse(Told):
    """Candidates of each search, in the order asked, all from one moment of the index."""

    snapshot_version: str
    answers: list[Candidates]


class UpsertResponse(Told):
    """What became of the items: every search that begins from now on sees them."""

    snapshot_version: str
    index: str
    index_version: str
    ids: list[int] = Field(description="written, in the order of the request")
    decimal_ids: list[str]
    durable: bool = Field(
        description="whether they outlive this process, and reach other workers and servers"
    )
    entry: int | None = Field(description="of the log of items; null without one")


class DeleteResponse(UpsertResponse):
    """What became of the deletion: no search that begins from now on finds the items."""

    missing: int = Field(description="of the ids, how many were not there")


class Version(Told):
    """A version of an index."""

    version: str
    tower_version: str
    state: Literal["active", "ready", "building", "previous"] = Field(
        description="active: answers; ready: may be activated; previous: what rollback goes back to"
    )
    items: int
    created_s: float = Field(description="seconds since the epoch")


class VersionResponse(Version):
    """A version of an index that is being built."""

    snapshot_version: str
    index: str


class Index(Told):
    """How an index stands."""

    name: str
    version: str
    tower_version: str
    versions: list[Version] = Field(description="all that are kept, the newest first")
    metric: Literal["inner_product", "cosine"]
    dim: int = Field(description="numbers of a vector")
    attributes: dict[str, str] = Field(description="kind by name, as filters know them")
    user_tower: bool = Field(description="whether it takes features of users")
    item_tower: bool = Field(description="whether it takes features of items")
    users: bool = Field(description="whether it takes ids of users")
    relations: list[str] = Field(description="by which items lead to items")
    relevance: bool = Field(description="whether it gives probabilities")
    bridged_from: str | None = Field(
        description="the tower version whose queries are carried to it; null if they are its own"
    )
    unfit: int = Field(description="items written by vectors of another tower version")
    durable: bool | None = Field(description="whether writes are; null where they are refused")
    recall: float | None = Field(
        description="of real queries, measured against exact search; null before there was one"
    )
    recall_queries: int = Field(description="how many queries that is an estimate from")
    stats: dict[str, Any] = Field(description="of the index itself")
    refused: str | None = Field(
        description="why the newest snapshot's towers do not serve, while older ones go on; null"
        " while they do"
    )


class IndexResponse(Index):
    """How an index stands, and the snapshot in service."""

    snapshot_version: str


class IndexesResponse(Told):
    """The indexes of the snapshot, by name."""

    snapshot_version: str
    indexes: list[Index]
