"""Requests to queries: JSON checked by a schema, or raw int64 ids; nothing is coerced."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from recsys_embed.errors import RecsysEmbedError
from recsys_embed.hashing import hash_strings
from serving.asked import ItemQuery, Missing, Policy, Query
from serving.schemas import LookupRequest

NAMED_ERRORS = 10

Model = TypeVar("Model", bound=BaseModel)


class MalformedBodyError(RecsysEmbedError):
    """A body that is not what its content type says."""


class InvalidRequestError(RecsysEmbedError):
    """A request that reads well and asks for what cannot be; `errors` says what is wrong where."""

    def __init__(self, detail: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)


class TooManyIdsError(RecsysEmbedError):
    """A request for more ids than the server's `max_ids`."""


class TooManyError(RecsysEmbedError):
    """A request of more searches, vectors or items than the server takes at once."""


class Defaults(NamedTuple):
    """What holds where the body does not say; None: the policy "initial", the first feature."""

    missing: Policy | None = None
    feature: str | None = None


def parse(model: type[Model], body: bytes) -> Model:
    """Reads a JSON body by a schema.

    Raises:
        MalformedBodyError: if it is not JSON.
        InvalidRequestError: naming the first fields that do not fit.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    if found[0]["type"] == "json_invalid":
        raise MalformedBodyError(f"expected a JSON object; {found[0]['msg']}")
    errors = [{"where": _path(e["loc"]), "what": e["msg"]} for e in found[:NAMED_ERRORS]]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise InvalidRequestError(f"{errors[0]['where']}: {errors[0]['what']}{more}", errors)


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def query_of(table: str, request: LookupRequest, default: Defaults) -> Query | ItemQuery:
    """Turns a checked request into a query.

    Raises:
        InvalidRequestError: for a decimal id outside int64.
    """
    given = request.model_fields_set
    missing = _missing_of(request, default.missing)
    feature = request.feature if "feature" in given else default.feature
    if "ids" in given:
        return Query(table, ids_of(request.ids), missing, request.ids, feature)
    if "decimal_ids" in given:
        ids = ids_of_decimals(request.decimal_ids)
        return Query(table, ids, missing, request.decimal_ids, feature)
    if "contents" in given:
        return ItemQuery(table, contents=request.contents, missing=missing, feature=feature)
    return ItemQuery(table, codes=request.semantic_ids, missing=missing, feature=feature)


def raw_query_of(table: str, body: bytes, default: Defaults) -> Query:
    """Turns a body of little-endian int64 into a query, without copying it.

    Raises:
        MalformedBodyError: if its length is not a multiple of 8.
    """
    if len(body) % 8:
        raise MalformedBodyError(f"expected int64 ids of 8 bytes each, got {len(body)} bytes")
    ids = np.frombuffer(body, "<i8")
    return Query(table, ids, default.missing or "initial", feature=default.feature)


def check_count(queries: Sequence[Query | ItemQuery], max_ids: int) -> None:
    """Holds a request to `max_ids` ids, contents and semantic IDs in all.

    Raises:
        TooManyIdsError: with the number that came.
    """
    count = sum([query.size for query in queries])
    if count > max_ids:
        raise TooManyIdsError(
            f"a request may ask for {max_ids} ids, this one for {count}; split it"
        )


def _missing_of(request: LookupRequest, default: Policy | None) -> Missing:
    if default is not None and "missing" not in request.model_fields_set:
        return default
    if isinstance(request.missing, list):
        return np.array(request.missing, np.float32)
    return request.missing


def ids_of(asked: Sequence[int | str]) -> NDArray[np.int64]:
    """Gives integers as they are, and strings by their hash."""
    kinds = set(map(type, asked))
    if str not in kinds:
        return np.array(asked, np.int64)
    values: Any = asked
    if kinds == {str}:
        return hash_strings(values)
    strings = np.array([isinstance(value, str) for value in values])
    ids = np.empty(len(values), np.int64)
    ids[~strings] = [value for value in values if isinstance(value, int)]
    ids[strings] = hash_strings([value for value in values if isinstance(value, str)])
    return ids


def ids_of_decimals(asked: Sequence[str], field: str = "decimal_ids") -> NDArray[np.int64]:
    """Reads ids written as decimal strings.

    Raises:
        InvalidRequestError: for one outside int64, by its place in the field.
    """
    try:
        return np.array([int(one) for one in asked], np.int64)
    except OverflowError:
        return np.array([id_of_decimal(one, f"{field}.{p}") for p, one in enumerate(asked)])


def id_of_decimal(asked: str, where: str) -> int:
    """Reads one id written as a decimal string.

    Raises:
        InvalidRequestError: for one outside int64.
    """
    if -(2**63) <= (number := int(asked)) < 2**63:
        return number
    raise unfit(where, "expected an integer in [-2^63, 2^63)")


def unfit(where: str, what: str) -> InvalidRequestError:
    """Names a field that does not fit, and what was expected."""
    return InvalidRequestError(f"{where}: {what}", [{"where": where, "what": what}])
