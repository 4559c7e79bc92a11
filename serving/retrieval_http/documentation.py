"""What OpenAPI says of retrieval beyond the signatures: bodies, headers, examples, every status."""

from typing import Any

from pydantic import BaseModel

from serving.documentation import REF, TAGS, problems, told
from serving.formats import JSON
from serving.kinds import OF_INDEXES
from serving.retrieval_http import answers, searches, writes
from serving.retrieval_http.examples import (
    CANDIDATES,
    DELETING,
    NOTHING,
    RECOMMENDING,
    SEARCHING,
    UPSERTING,
    VERSION,
)
from serving.settings import Settings

MODELS: tuple[type[BaseModel], ...] = (
    searches.RecommendRequest,
    searches.SearchRequest,
    searches.BatchRequest,
    writes.UpsertRequest,
    writes.DeleteRequest,
    writes.ActivateRequest,
    writes.NothingMore,
)
ANSWERS: tuple[type[BaseModel], ...] = (answers.CandidatesResponse, answers.BatchResponse)


def _body(model: type[BaseModel], examples: dict[str, Any], required: bool = True) -> Any:
    content = {
        "schema": {"$ref": REF.format(model=model.__name__)},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": required, "content": {JSON: content}}}


def _posted(
    model: type[BaseModel],
    examples: dict[str, Any],
    *statuses: int,
    required: bool = True,
    done: int = 200,
) -> dict[str, Any]:
    refused = problems(400, 404, 406, 409, 413, 415, 422, 500, 503, *statuses, of=OF_INDEXES)
    return {
        "methods": ["POST"],
        "status_code": done,
        "responses": {done: {"headers": TAGS}, **refused},
        "openapi_extra": _body(model, examples, required),
    }


def _searched(
    model: type[BaseModel],
    answer: type[BaseModel],
    examples: dict[str, Any],
    answered: dict[str, Any],
) -> dict[str, Any]:
    route = _posted(model, examples)
    schema = {"$ref": REF.format(model=answer.__name__)}
    route["responses"][200] = {
        "description": "Candidates, best first",
        "content": {JSON: {"schema": schema, "example": answered}},
        "headers": TAGS,
    }
    return route


RECOMMEND = _searched(
    searches.RecommendRequest, answers.CandidatesResponse, RECOMMENDING, CANDIDATES
)
SEARCH = _searched(searches.SearchRequest, answers.CandidatesResponse, SEARCHING, CANDIDATES)
BATCH = _searched(
    searches.BatchRequest,
    answers.BatchResponse,
    {"several": {"searches": list(SEARCHING.values())}},
    {"snapshot_version": CANDIDATES["snapshot_version"], "answers": [CANDIDATES]},
)
UPSERT = _posted(writes.UpsertRequest, UPSERTING, 403)
DELETE = _posted(writes.DeleteRequest, DELETING, 403)
ACTIVATE = _posted(writes.ActivateRequest, VERSION, 403)
ROLLBACK = _posted(writes.NothingMore, NOTHING, 403, required=False)
REBUILD = _posted(writes.NothingMore, NOTHING, 403, required=False, done=202)
INDEXES = told(503, of=OF_INDEXES)
INDEX = told(404, 503, of=OF_INDEXES)


def limit(schemas: dict[str, Any], settings: Settings) -> None:
    """Puts the server's own limits into the document."""
    for name in ("RecommendRequest", "SearchRequest"):
        schemas[name]["properties"]["k"]["maximum"] = settings.max_k
    schemas["SearchRequest"]["properties"]["vectors"]["maxItems"] = settings.max_queries
    schemas["BatchRequest"]["properties"]["searches"]["maxItems"] = settings.max_queries
    schemas["UpsertRequest"]["properties"]["items"]["maxItems"] = settings.max_items
    for name in ("ids", "decimal_ids"):
        schemas["DeleteRequest"]["properties"][name]["maxItems"] = settings.max_items
