"""Checked requests to questions: ids become integers, lists become arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from serving.queries import (
    InvalidRequestError,
    TooManyError,
    id_of_decimal,
    ids_of,
    ids_of_decimals,
    unfit,
)
from serving.retrieval import asked
from serving.retrieval_http.options import Options
from serving.retrieval_http.searches import (
    ITEM,
    USER,
    BatchRequest,
    RecommendRequest,
    SearchRequest,
)
from serving.settings import Settings

By = asked.Vectors | asked.User | asked.Item | asked.UserFeatures


def ask_of(
    index: str | None, request: SearchRequest | RecommendRequest, limits: Settings
) -> asked.Ask:
    """Turns a checked request into a question to an index.

    Raises:
        InvalidRequestError: for a K above `max_k`, a decimal id outside int64, or options that do
            not go together.
        TooManyError: for more vectors than `max_queries`.
    """
    _check_options(request, limits.max_k)
    if isinstance(request, RecommendRequest):
        return asked.Ask(_by_features(request), index, **_options(request))
    _refuse_strays(request)
    return asked.Ask(_by(request, limits), index, relation=request.relation, **_options(request))


def asks_of(index: str, request: BatchRequest, limits: Settings) -> list[asked.Ask]:
    """Turns a checked batch into questions; what is wrong with one is named by its place.

    Raises:
        InvalidRequestError, TooManyError: as `ask_of`; also for more searches than `max_queries`.
    """
    refuse_more("searches", len(request.searches), limits.max_queries)
    asks = []
    for position, one in enumerate(request.searches):
        try:
            asks.append(ask_of(index, one, limits))
        except InvalidRequestError as error:
            [what] = error.errors
            raise unfit(f"searches.{position}.{what['where']}", what["what"]) from None
    return asks


def refuse_more(what: str, count: int, most: int) -> None:
    """Holds a request to so many of something.

    Raises:
        TooManyError: with the number that came.
    """
    if count > most:
        raise TooManyError(f"a request may have {most} {what}, this one has {count}; split it")


def id_of(request: Any, names: tuple[str, str]) -> tuple[int, int | str]:
    """Gives an id, and how it was asked, from the one of two fields that is given.

    Raises:
        InvalidRequestError: for a decimal id outside int64.
    """
    plain, decimal = names
    if plain in request.model_fields_set:
        given = getattr(request, plain)
        return int(ids_of([given])[0]), given
    given = getattr(request, decimal)
    return id_of_decimal(given, decimal), given


def _check_options(request: Options, max_k: int) -> None:
    if request.k > max_k:
        raise unfit("k", f"expected an integer in [1, {max_k}], got {request.k}")
    pool = None if request.diversity is None else request.diversity.pool
    if pool is not None and not request.k <= pool <= max_k:
        raise unfit("diversity.pool", f"expected an integer in [{request.k}, {max_k}], got {pool}")
    if request.quotas is not None and request.combine != "quota":
        raise unfit("quotas", "expected combine 'quota' beside it")


def _refuse_strays(request: SearchRequest) -> None:
    given = request.model_fields_set
    if request.tower_version is not None and not given & {"vector", "vectors"}:
        raise unfit("tower_version", "expected a vector or vectors beside it")
    if request.relation is not None and not given & set(ITEM):
        raise unfit("relation", "expected an item beside it")


def _by_features(request: RecommendRequest) -> By:
    if "features" in request.model_fields_set:
        return asked.UserFeatures(request.features)
    return asked.User(*id_of(request, USER))


def _by(request: SearchRequest, limits: Settings) -> By:
    given = request.model_fields_set
    if given & set(USER):
        return asked.User(*id_of(request, USER))
    if given & set(ITEM):
        return asked.Item(*id_of(request, ITEM))
    vectors = [request.vector] if "vector" in given else request.vectors
    refuse_more("vectors", len(vectors), limits.max_queries)
    return asked.Vectors(_matrix(vectors), request.tower_version)


def _matrix(vectors: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        raise unfit("vectors", f"expected vectors of one length, got {lengths}")
    return np.array(vectors, np.float32)


def _options(request: Options) -> dict[str, Any]:
    diversity, parameters = request.diversity, request.parameters
    return {
        "k": request.k,
        "where": request.where,
        "exclude": _excluded(request),
        "exclude_seen": request.exclude_seen,
        "score_threshold": request.score_threshold,
        "min_probability": request.min_probability,
        "diversity": None
        if diversity is None
        else asked.Diversity(diversity.balance, diversity.pool, diversity.caps),
        "combine": request.combine,
        "quotas": request.quotas,
        "parameters": Parameters() if parameters is None else Parameters(**dict(parameters)),
        "wanted": frozenset(request.wanted),
    }


def _excluded(request: Options) -> NDArray[np.int64]:
    if not request.exclude and not request.decimal_exclude:
        return asked.NO_IDS
    decimals = ids_of_decimals(request.decimal_exclude, "decimal_exclude")
    return np.concatenate([ids_of(request.exclude), decimals])
