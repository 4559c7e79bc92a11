"""What a search may ask for, however it is asked."""

from typing import Annotated, Literal

from pydantic import Field

from serving.retrieval_http.choosing import Choosing
from serving.retrieval_http.values import DecimalId, Filter, NamedId, Text
from serving.schemas import Float32, Strict

MOST_K = 10_000
Wanted = Literal["vector", "attributes", "explain"]


class Diversity(Strict):
    """How much candidates may be alike."""

    balance: float = Field(
        1.0,
        ge=0,
        le=1,
        alias="lambda",
        description="weight of the score against the similarity to what is chosen already (MMR);"
        " 1: the score alone",
    )
    pool: int | None = Field(
        None, ge=1, le=MOST_K, description="candidates to choose from; some times k if left out"
    )
    caps: dict[Text, Annotated[int, Field(ge=1)]] = Field(
        {},
        description="attribute to the most candidates that may share a value of it",
        examples=[{"category": 3}],
    )


class Parameters(Strict):
    """How the index is searched, for once; what is left out stays as it was tuned."""

    exact: bool = Field(False, description="compare with every item")
    nprobe: int | None = Field(None, ge=1, le=65_536, description="lists of an IVF index to visit")
    ef: int | None = Field(None, ge=1, le=65_536, description="nodes that an HNSW index keeps open")
    rerank: float | None = Field(
        None, ge=1, le=1000, description="candidates a result that are scored on the full vectors"
    )


class Options(Choosing):
    """What holds for every way of asking."""

    k: int = Field(10, ge=1, le=MOST_K, description="candidates at most, up to the server's max_k")
    where: Filter | None = Field(None, alias="filter", description="what their attributes must be")
    exclude: list[NamedId] = Field([], description="ids of items that are kept out")
    decimal_exclude: list[DecimalId] = Field([], description="the same as decimal strings")
    exclude_seen: bool = Field(
        False, description="keep out the items that the features name as seen already"
    )
    score_threshold: Float32 | None = Field(None, description="least score of a candidate")
    min_probability: float | None = Field(
        None, ge=0, le=1, description="least probability to be relevant, where it is calibrated"
    )
    diversity: Diversity | None = None
    combine: Literal["max", "quota"] = Field(
        "max",
        description="how the candidates of several vectors become one list: each by its best score,"
        " or so many of each vector",
    )
    quotas: list[Annotated[int, Field(ge=0, le=MOST_K)]] | None = Field(
        None,
        min_length=1,
        description="candidates of each vector, with combine 'quota'; they add up to k; even shares"
        " if left out",
    )
    parameters: Parameters | None = None
    wanted: list[Wanted] = Field([], alias="with", description="what stands beside each candidate")
