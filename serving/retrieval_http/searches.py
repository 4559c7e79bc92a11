"""Searches as JSON, checked strictly: nothing coerced, nothing unknown."""

from pydantic import ConfigDict, Field

from serving.retrieval_http.choosing import one_of
from serving.retrieval_http.options import Options
from serving.retrieval_http.values import DecimalId, Features, NamedId, Text, Vector
from serving.schemas import Strict

MOST_QUERIES = 1024
USER = ("user", "decimal_user")
ITEM = ("item", "decimal_item")
BY_FEATURES = ("features", *USER)
BY_VECTORS = ("vector", "vectors", *USER, *ITEM)


class RecommendRequest(Options):
    """A user by features, or by id where the snapshot holds vectors of users."""

    model_config = ConfigDict(json_schema_extra=one_of(BY_FEATURES))
    choices = BY_FEATURES

    features: Features = Field(
        default_factory=dict,
        description="raw values of the user tower's inputs; those left out count as unknown",
        examples=[{"customer": 17850, "history": ["85123A", "22423"]}],
    )
    user: NamedId = Field(0, description="the id of a user", examples=[17850])
    decimal_user: DecimalId = Field("0", description="the same as a decimal string")
    index: Text | None = Field(
        None, description="the index to search; the only one with a user tower if left out"
    )


class SearchRequest(Options):
    """A query by vectors, by a user or by an item."""

    model_config = ConfigDict(json_schema_extra=one_of(BY_VECTORS))
    choices = BY_VECTORS

    vector: Vector = Field(
        default_factory=list, description="a query vector", examples=[[0.25, -1.5, 0.75, 0.5]]
    )
    vectors: list[Vector] = Field(
        default_factory=list,
        min_length=1,
        max_length=MOST_QUERIES,
        description="several vectors of one user, up to the server's max_queries",
    )
    user: NamedId = Field(0, description="the id of a user, whose vector the snapshot holds")
    decimal_user: DecimalId = Field("0", description="the same as a decimal string")
    item: NamedId = Field(
        0, description="the id of an item: what is near to it", examples=["22423"]
    )
    decimal_item: DecimalId = Field("0", description="the same as a decimal string")
    tower_version: Text | None = Field(
        None, description="the version of the tower that made the vectors, to be held to it"
    )
    relation: Text | None = Field(
        None,
        description="how items are to be related to the item, as the index knows it",
        examples=["complementary"],
    )


class BatchRequest(Strict):
    """Searches to answer in one call, from one moment of the index."""

    searches: list[SearchRequest] = Field(
        min_length=1, max_length=MOST_QUERIES, description="up to the server's max_queries"
    )
