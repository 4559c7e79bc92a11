"""The routes of retrieval: HTTP to questions and writes, candidates to HTTP."""

from typing import Annotated, Any

from fastapi import Path
from starlette.concurrency import run_in_threadpool as apart
from starlette.requests import Request
from starlette.responses import Response

from serving.formats import JSON
from serving.retrieval.asked import IndexInfo, Written
from serving.retrieval_http.answers import (
    DeleteResponse,
    Index,
    IndexesResponse,
    IndexResponse,
    UpsertResponse,
    VersionResponse,
)
from serving.retrieval_http.asking import ask_of, asks_of
from serving.retrieval_http.calling import (
    read,
    retriever_of,
    searched,
    settings_of,
    state_of,
    writable,
)
from serving.retrieval_http.encoding import encode_batch, encode_candidates
from serving.retrieval_http.searches import BatchRequest, RecommendRequest, SearchRequest
from serving.retrieval_http.writes import (
    ActivateRequest,
    DeleteRequest,
    NothingMore,
    UpsertRequest,
)
from serving.retrieval_http.writing import deleted_of, writes_of
from serving.routes import service_of

IndexName = Annotated[str, Path(description="name of an index, as GET /v1/indexes lists it")]


async def recommend(request: Request) -> Response:
    """Gives the items for a user, by the user's features or id, in one call.

    The user tower reads the newest embeddings, the index answers, filters hold.
    """
    retriever = retriever_of(request)
    asked = await read(request, RecommendRequest)
    ask = ask_of(asked.index, asked, settings_of(request))
    [found] = await searched(request, retriever.pool, lambda: [retriever.recommend(ask)])
    return _answer(encode_candidates(found), found.snapshot_version)


async def search(request: Request, index: IndexName) -> Response:
    """Gives the items nearest to a vector, to several vectors of one user, a user or an item."""
    retriever = retriever_of(request)
    ask = ask_of(index, await read(request, SearchRequest), settings_of(request))
    [found] = await searched(request, retriever.pool, lambda: [retriever.search(ask)])
    return _answer(encode_candidates(found), found.snapshot_version)


async def search_batch(request: Request, index: IndexName) -> Response:
    """Answers several searches from one moment of the index; all are answered or none is."""
    retriever = retriever_of(request)
    asks = asks_of(index, await read(request, BatchRequest), settings_of(request))
    found = await searched(request, retriever.pool, lambda: retriever.search_many(asks))
    return _answer(encode_batch(found), found[0].snapshot_version)


def _answer(body: bytes, snapshot_version: str) -> Response:
    return Response(body, headers={"X-Snapshot-Version": snapshot_version}, media_type=JSON)


async def upsert_items(request: Request, index: IndexName) -> UpsertResponse:
    """Adds or replaces items, by vector or by features; the next search finds them."""
    retriever = writable(request)
    asked = await read(request, UpsertRequest)
    items = writes_of(asked, settings_of(request))
    written = await state_of(request).writers.run(
        retriever.upsert, index, items, asked.tower_version
    )
    return UpsertResponse(**_written(request, index, written))


async def delete_items(request: Request, index: IndexName) -> DeleteResponse:
    """Takes items out; the next search does not find them."""
    retriever = writable(request)
    ids = deleted_of(await read(request, DeleteRequest), settings_of(request))
    written = await state_of(request).writers.run(retriever.delete, index, ids)
    return DeleteResponse(missing=written.missing, **_written(request, index, written))


def _written(request: Request, index: str, written: Written) -> dict[str, Any]:
    return {
        "snapshot_version": service_of(request).version,
        "index": index,
        "index_version": written.index_version,
        "ids": list(written.ids),
        "decimal_ids": list(map(str, written.ids)),
        "durable": written.durable,
        "entry": written.entry,
    }


async def indexes(request: Request) -> IndexesResponse:
    """Lists the indexes."""
    service, retriever = service_of(request), request.scope["serving"].retriever
    names = [] if retriever is None else sorted(retriever.indexes())
    found = [await apart(retriever.stats, name) for name in names]
    return IndexesResponse.model_validate(
        {"snapshot_version": service.version, "indexes": found}, from_attributes=True
    )


async def index(request: Request, index: IndexName) -> IndexResponse:
    """Says how one index stands."""
    return _told(request, await apart(retriever_of(request).stats, index))


async def rebuild(request: Request, index: IndexName) -> VersionResponse:
    """Begins to build the next version of the index beside the one in service."""
    retriever = writable(request)
    await read(request, NothingMore)
    begun = await state_of(request).writers.run(retriever.rebuild, index)
    return VersionResponse(snapshot_version=service_of(request).version, index=index, **vars(begun))


async def activate(request: Request, index: IndexName) -> IndexResponse:
    """Puts a version of the index into service; no answer mixes it with the one before."""
    retriever = writable(request)
    asked = await read(request, ActivateRequest)
    info = await state_of(request).writers.run(retriever.activate, index, asked.version)
    return _told(request, info)


async def rollback(request: Request, index: IndexName) -> IndexResponse:
    """Puts the version before into service again."""
    retriever = writable(request)
    await read(request, NothingMore)
    return _told(request, await state_of(request).writers.run(retriever.rollback, index))


def _told(request: Request, info: IndexInfo) -> IndexResponse:
    told = Index.model_validate(info, from_attributes=True)
    return IndexResponse(snapshot_version=service_of(request).version, **dict(told))
