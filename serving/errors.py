"""The one table from exception class to HTTP status, and problem details by RFC 9457."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recsys_embed.errors import InputError, RecsysEmbedError
from serving.bodies import BodyTooLargeError, UnsupportedContentError
from serving.formats import NotAcceptableError
from serving.lookup import MissingIdsError, UnknownFeatureError, UnknownTableError
from serving.queries import InvalidRequestError, MalformedBodyError, TooManyIdsError
from serving.semantic_ids import NoSemanticIdsError

MEDIA_TYPE = "application/problem+json"


class NotReadyError(RecsysEmbedError):
    """The server has no snapshot yet, or no longer takes requests."""


class Kind(NamedTuple):
    status: int
    code: str
    title: str


KINDS: dict[type[Exception], Kind] = {
    MalformedBodyError: Kind(400, "malformed_body", "The body cannot be read"),
    UnknownTableError: Kind(404, "unknown_table", "No such table"),
    UnknownFeatureError: Kind(404, "unknown_feature", "No such feature"),
    MissingIdsError: Kind(404, "missing_ids", "Ids without a row"),
    NotAcceptableError: Kind(406, "not_acceptable", "No acceptable format"),
    BodyTooLargeError: Kind(413, "body_too_large", "Body too large"),
    TooManyIdsError: Kind(413, "too_many_ids", "Too many ids"),
    UnsupportedContentError: Kind(415, "unsupported_content", "Unsupported content"),
    NoSemanticIdsError: Kind(422, "no_semantic_ids", "The table has no semantic IDs"),
    InvalidRequestError: Kind(422, "invalid_request", "Invalid request"),
    InputError: Kind(422, "invalid_request", "Invalid request"),
    NotReadyError: Kind(503, "not_ready", "Not ready"),
}
HTTP_KINDS = {
    404: Kind(404, "not_found", "No such route"),
    405: Kind(405, "method_not_allowed", "Method not allowed"),
}
INTERNAL = Kind(500, "internal", "Internal error")


def refusal(request: Request, error: Exception) -> Response | None:
    """Turns an exception into its problem; None for one that only a bug can raise."""
    if isinstance(error, HTTPException):
        kind = HTTP_KINDS.get(error.status_code) or Kind(error.status_code, "refused", "Refused")
        detail = f"{request.method} {request.scope['path']!r}: see /openapi.json for what there is"
        return problem(request, kind, detail, headers=dict(error.headers or {}))
    for known in type(error).__mro__:
        if known in KINDS:
            kind = KINDS[known]
            headers = {"Retry-After": "1"} if kind.status == 503 else {}
            return problem(request, kind, str(error), _members(error), headers)
    return None


def bug(request: Request) -> Response:
    """The answer to an exception nobody expected; the log has it under the request's id."""
    return problem(
        request, INTERNAL, "an error in the server; its log has it under this request_id"
    )


def _members(error: Exception) -> dict[str, Any]:
    if isinstance(error, MissingIdsError):
        return {"ids": error.ids, "missing_count": error.count}
    if isinstance(error, InvalidRequestError) and error.errors:
        return {"errors": error.errors}
    return {}


def problem(
    request: Request,
    kind: Kind,
    detail: str,
    members: Mapping[str, Any] = MappingProxyType({}),
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Writes problem details; the request's id and the snapshot's version are in each of them."""
    service = request.scope["service"]
    content = {
        "type": f"urn:recsys-embed:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "request_id": request.scope["request_id"],
        **({"snapshot_version": service.version} if service else {}),
        **members,
    }
    return Response(orjson.dumps(content), kind.status, headers, MEDIA_TYPE)
