"""Writes to an index as JSON, checked strictly: nothing coerced, nothing unknown."""

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from serving.retrieval_http.choosing import Choosing, one_of
from serving.retrieval_http.values import Attributes, DecimalId, Features, NamedId, Text, Vector
from serving.schemas import Strict

MOST_ITEMS = 65_536
NAMED = ("id", "decimal_id")
MADE = ("vector", "features")
BY_ID_OR_FEATURES: dict[str, Any] = {
    "oneOf": [
        *one_of(NAMED)["oneOf"],
        {"required": ["features"], "not": {"anyOf": one_of(NAMED)["oneOf"]}},
    ]
}


class ItemToUpsert(Choosing):
    """An item, by its vector or by features from which the item tower makes one."""

    model_config = ConfigDict(json_schema_extra={"allOf": [one_of(MADE), BY_ID_OR_FEATURES]})
    choices = MADE

    id: NamedId = Field(
        0, description="its id; that of its name among the features if left out", examples=["22423"]
    )
    decimal_id: DecimalId = Field("0", description="the same as a decimal string")
    vector: Vector = Field(default_factory=list, description="as the item tower makes them")
    features: Features = Field(
        default_factory=dict,
        min_length=1,
        description="raw values of the item tower's inputs",
        examples=[{"description": "RED RETROSPOT MUG", "price": 2.95}],
    )
    attributes: Attributes | None = Field(
        None,
        description="what filters see; replaces all the item had, unless left out",
        examples=[{"price": 2.95, "country": ["France", "Norway"]}],
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if "features" not in self.model_fields_set or set(NAMED) <= self.model_fields_set:
            self.refuse_others(NAMED)
        return self


class UpsertRequest(Strict):
    """Items to add or replace; of two with one id the last counts."""

    items: list[ItemToUpsert] = Field(
        min_length=1, max_length=MOST_ITEMS, description="up to the server's max_items"
    )
    tower_version: Text | None = Field(
        None, description="the version of the tower that made the vectors, to be held to it"
    )


GIVEN = ("ids", "decimal_ids")


class DeleteRequest(Choosing):
    """Items to take out; ids that are not there are counted and do no harm."""

    model_config = ConfigDict(json_schema_extra=one_of(GIVEN))
    choices = GIVEN

    ids: list[NamedId] = Field(
        default_factory=list, min_length=1, max_length=MOST_ITEMS, examples=[["22423", 85123]]
    )
    decimal_ids: list[DecimalId] = Field(
        default_factory=list, min_length=1, max_length=MOST_ITEMS, examples=[["85123"]]
    )


class ActivateRequest(Strict):
    """A version of the index to put into service."""

    version: Text = Field(description="as GET /v1/indexes/{index} lists it")


class NothingMore(Strict):
    """A call that says all by its path: an empty object, or no body."""
