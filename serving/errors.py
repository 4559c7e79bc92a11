"""Exceptions to problem details, by RFC 9457."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.kinds import HTTP_KINDS, INTERNAL, KINDS, Kind
from serving.lookup import MissingIdsError
from serving.queries import InvalidRequestError

MEDIA_TYPE = "application/problem+json"


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


def problem_of(kind: Kind) -> dict[str, Any]:
    """Gives what all problems of a kind have in common."""
    return {
        "type": f"urn:recsys-embed:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
    }


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
        **problem_of(kind),
        "detail": detail,
        "request_id": request.scope["request_id"],
        **({"snapshot_version": service.version} if service else {}),
        **members,
    }
    return Response(orjson.dumps(content), kind.status, headers, MEDIA_TYPE)
