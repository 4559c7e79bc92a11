"""What OpenAPI says beyond the signatures: bodies, formats, headers and every status."""

from typing import Any

from serving import responses, schemas
from serving.errors import MEDIA_TYPE, problem_of
from serving.formats import JSON, ONE_TABLE, RAW, SEVERAL_TABLES, Format
from serving.kinds import HTTP_KINDS, INTERNAL, OF_ALL, OF_TABLES, Kind, Kinds
from serving.parameters import LIMIT, POLICIES

REF = "#/components/schemas/{model}"
BINARY = {"schema": {"type": "string", "format": "binary"}}
MODELS = (schemas.LookupRequest, schemas.LookupsRequest, responses.Problem)
ANSWERS = (responses.LookupResponse, responses.LookupsResponse)

Responses = dict[int | str, dict[str, Any]]


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


MISSING = _parameter(
    "missing",
    "what stands in for a row that is not there, where the body does not say",
    type="string",
    enum=list(POLICIES),
)
FEATURE = _parameter(
    "feature", "whose ids they are, where the body does not say; the table's first", type="string"
)
PREFIX = _parameter(
    "prefix",
    "the first codes of a semantic ID, joined by commas; none: all items",
    type="string",
    pattern="^([0-9]+(,[0-9]+)*)?$",
    default="",
)
LIMITED = _parameter(
    "limit",
    "items listed at most, up to the server's max_ids",
    type="integer",
    minimum=1,
    default=LIMIT,
)


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


TAGS = {
    "X-Request-Id": _header("the client's own, or a new one on a refusal", "b7d0f3a19c2e4d58"),
    "X-Snapshot-Version": _header(
        "the snapshot in service; absent before one is loaded", "<uuid>:000000000007"
    ),
}
RAW_HEADERS = {
    "X-Shape": _header(
        "vectors,dimension of each block (raw bytes only), blocks joined by ';'", "100,64"
    ),
    "X-Dtype": _header("type of the numbers (raw bytes only), little-endian", "float32"),
    "X-Found": _header(
        "base64 of one bit an id, lowest bit first: 1 if its rows were found (raw and .npy)", "Dw=="
    ),
}


def problems(*statuses: int, of: Kinds = OF_TABLES) -> Responses:
    """Documents the problems with these statuses, with an example of each code they may carry."""
    every = {**OF_ALL, **of}.values()
    kinds = sorted({*every, *HTTP_KINDS.values(), INTERNAL}, key=lambda kind: kind.code)
    return {
        status: {
            "description": "; ".join(f"{k.code}: {k.title}" for k in kinds if k.status == status),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": REF.format(model="Problem")},
                    "examples": {k.code: _example(k) for k in kinds if k.status == status},
                }
            },
            "headers": TAGS,
        }
        for status in statuses
    }


def _example(kind: Kind) -> dict[str, Any]:
    told = {"detail": f"{kind.title}: what came, and what was expected", "request_id": "b7d0f3a19c"}
    return {"value": {**problem_of(kind), **told}}


def told(*statuses: int, of: Kinds = OF_TABLES) -> dict[str, Any]:
    """Documents a plain GET route: its own answer's headers, and problems with these statuses."""
    refused = problems(*statuses, 500, of=of)
    return {"methods": ["GET"], "responses": {200: {"headers": TAGS}, **refused}}


def _lookup(
    request: str, response: str, formats: tuple[Format, ...], of_one_table: bool
) -> dict[str, Any]:
    asked: dict[str, Any] = {JSON: {"schema": {"$ref": REF.format(model=request)}}}
    if of_one_table:
        asked[RAW] = BINARY
    answered = {f: BINARY for f in formats}
    answered[JSON] = {"schema": {"$ref": REF.format(model=response)}}
    ok = {
        "description": "One vector an id or item",
        "content": answered,
        "headers": {**TAGS, **RAW_HEADERS},
    }
    return {
        "methods": ["POST"],
        "responses": {200: ok, **problems(400, 404, 406, 413, 415, 422, 500, 503)},
        "openapi_extra": {
            "requestBody": {"required": True, "content": asked},
            "parameters": [MISSING, FEATURE] if of_one_table else [MISSING],
        },
    }


LOOKUP_TABLE = _lookup("LookupRequest", "LookupResponse", ONE_TABLE, of_one_table=True)
LOOKUP_TABLES = _lookup("LookupsRequest", "LookupsResponse", SEVERAL_TABLES, of_one_table=False)
ITEMS = {**told(404, 422, 503), "openapi_extra": {"parameters": [PREFIX, LIMITED]}}
METRICS: dict[str, Any] = {
    "methods": ["GET"],
    "responses": {
        200: {
            "description": "Counters",
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "headers": TAGS,
        },
        **problems(500),
    },
}
