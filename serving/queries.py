"""Requests to queries: JSON checked by a schema, or raw int64 ids; nothing is coerced."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from recsys_embed.errors import RecsysEmbedError
from recsys_embed.hashing import hash_strings
from serving.lookup import Missing, Policy, Query
from serving.schemas import LookupRequest

POLICIES: tuple[Policy, ...] = ("initial", "zeros", "error")
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


def query_of(table: str, request: LookupRequest, default: Policy | None) -> Query:
    """Turns a checked request into a query; `default` is the policy where the body names none.

    Raises:
        InvalidRequestError: for a decimal id outside int64.
    """
    if "decimal_ids" in request.model_fields_set:
        ids, asked = _ids_of_decimals(request.decimal_ids), request.decimal_ids
        return Query(table, ids, _missing_of(request, default), asked)
    return Query(table, _ids_of(request.ids), _missing_of(request, default), request.ids)


def raw_query_of(table: str, body: bytes, default: Policy | None) -> Query:
    """Turns a body of little-endian int64 into a query, without copying it.

    Raises:
        MalformedBodyError: if its length is not a multiple of 8.
    """
    if len(body) % 8:
        raise MalformedBodyError(f"expected int64 ids of 8 bytes each, got {len(body)} bytes")
    return Query(table, np.frombuffer(body, "<i8"), default or "initial")


def check_count(queries: Sequence[Query], max_ids: int) -> None:
    """Holds a request to `max_ids` ids in all.

    Raises:
        TooManyIdsError: with the number that came.
    """
    count = sum([query.ids.size for query in queries])
    if count > max_ids:
        raise TooManyIdsError(
            f"a request may ask for {max_ids} ids, this one for {count}; split it"
        )


@lru_cache(maxsize=256)
def policy_of(query_string: bytes) -> Policy | None:
    """Reads `?missing=initial|zeros|error`, the only query parameter there is; None if not given.

    Raises:
        InvalidRequestError: for another parameter, a repeated one or another value.
    """
    given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    if not given:
        return None
    if len(given) > 1 or given[0][0] != "missing":
        names = ", ".join(repr(name) for name, _ in given)
        raise InvalidRequestError(
            f"expected the query parameter 'missing' once at most, got {names}"
        )
    for policy in POLICIES:
        if given[0][1] == policy:
            return policy
    raise InvalidRequestError(f"missing: expected one of {POLICIES}, got {given[0][1]!r}")


def _missing_of(request: LookupRequest, default: Policy | None) -> Missing:
    if default is not None and "missing" not in request.model_fields_set:
        return default
    if isinstance(request.missing, list):
        return np.array(request.missing, np.float32)
    return request.missing


def _ids_of(asked: list[int | str]) -> NDArray[np.int64]:
    kinds = set(map(type, asked))
    if str not in kinds:
        return np.array(asked, np.int64)
    values: list[Any] = asked
    if kinds == {str}:
        return hash_strings(values)
    strings = np.array([isinstance(value, str) for value in values])
    ids = np.empty(len(values), np.int64)
    ids[~strings] = [value for value in values if isinstance(value, int)]
    ids[strings] = hash_strings([value for value in values if isinstance(value, str)])
    return ids


def _ids_of_decimals(asked: list[str]) -> NDArray[np.int64]:
    try:
        return np.array([int(one) for one in asked], np.int64)
    except OverflowError:
        position = next(p for p, one in enumerate(asked) if not -(2**63) <= int(one) < 2**63)
        what = {"where": f"decimal_ids.{position}", "what": "expected an integer in [-2^63, 2^63)"}
        raise InvalidRequestError(f"{what['where']}: {what['what']}", [what]) from None
