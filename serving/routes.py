"""The routes: HTTP to queries, answers to HTTP, and nothing in between."""

from time import perf_counter
from typing import Annotated

from fastapi import Path
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

import recsys_embed
from serving.asked import Answer, ItemQuery, Query
from serving.bodies import UnsupportedContentError, content_of, header, read_body
from serving.describing import following_info, table_info
from serving.following import Standing
from serving.formats import (
    JSON,
    ONE_TABLE,
    SEVERAL_TABLES,
    Encoded,
    encode_one,
    encode_several,
    negotiate,
)
from serving.kinds import NotReadyError
from serving.lookup import LookupService
from serving.parameters import OF_ONE_TABLE, OF_SEVERAL_TABLES, defaults_of, under_of
from serving.queries import check_count, parse, query_of, raw_query_of
from serving.responses import (
    InfoResponse,
    ItemsResponse,
    LiveResponse,
    ReadyResponse,
    TableResponse,
    TablesResponse,
)
from serving.schemas import LookupRequest, LookupsRequest
from serving.state import State

TableName = Annotated[str, Path(description="name of a table, as GET /v1/tables lists it")]


def service_of(request: Request) -> LookupService:
    """The service this request started with.

    Raises:
        NotReadyError: before a snapshot is loaded.
    """
    service: LookupService | None = request.scope["service"]
    if service is None:
        raise NotReadyError(_why_not(request.scope["serving"]))
    return service


def _why_not(state: State) -> str:
    why = "no snapshot is loaded yet; ask /readyz and try again"
    if state.follower is not None and state.follower.standing.reason is not None:
        why = f"{why}; what keeps it: {state.follower.standing.reason}"
    return why


async def lookup_table(request: Request, table: TableName) -> Response:
    """Gives every id its vector, in the order asked, duplicates kept.

    The body is JSON, or the ids as raw little-endian int64. The answer is JSON, an Arrow IPC stream
    (table, id, status, vector), an .npy file, or raw little-endian float32, as Accept prefers.
    Where a table has semantic IDs, items may be asked by their contents or semantic IDs instead.
    """
    service, media_type = service_of(request), negotiate(header(request, b"accept"), ONE_TABLE)
    default = defaults_of(request.scope["query_string"], OF_ONE_TABLE)
    content = content_of(request)
    body = await read_body(request, request.scope["serving"].settings.max_body_bytes)
    if content == "raw":
        query: Query | ItemQuery = raw_query_of(table, body, default)
    else:
        query = query_of(table, parse(LookupRequest, body), default)
    [answer] = _answers(request, service, [query])
    return _response(encode_one(answer, service.version, media_type))


async def lookup_tables(request: Request) -> Response:
    """Answers lookups in several tables at once, from one snapshot; all are answered or none."""
    service, media_type = service_of(request), negotiate(header(request, b"accept"), SEVERAL_TABLES)
    default = defaults_of(request.scope["query_string"], OF_SEVERAL_TABLES)
    if content_of(request) == "raw":
        raise UnsupportedContentError(f"expected Content-Type {JSON}: raw ids name no table")
    body = await read_body(request, request.scope["serving"].settings.max_body_bytes)
    queries = [query_of(one.table, one, default) for one in parse(LookupsRequest, body).lookups]
    answers = _answers(request, service, queries)
    return _response(encode_several(answers, service.version, media_type))


def _answers(
    request: Request, service: LookupService, queries: list[Query | ItemQuery]
) -> list[Answer]:
    state: State = request.scope["serving"]
    check_count(queries, state.settings.max_ids)
    started = perf_counter()
    answers = service.lookup_many(queries)
    state.metrics.looked_up(answers, perf_counter() - started)
    return answers


def _response(encoded: Encoded) -> Response:
    return Response(encoded.body, 200, encoded.headers, encoded.media_type)


async def items(request: Request, table: TableName) -> ItemsResponse:
    """Lists the items whose semantic IDs begin with the codes of a prefix, in their order."""
    service, settings = service_of(request), request.scope["serving"].settings
    under = under_of(request.scope["query_string"], settings.max_ids)
    found = await run_in_threadpool(service.items, table, under.prefix, under.limit)
    ids: list[int] = found.ids.tolist()
    return ItemsResponse(
        table=table,
        prefix=list(under.prefix),
        total=found.total,
        ids=ids,
        decimal_ids=list(map(str, ids)),
        semantic_ids=found.codes.tolist(),
        snapshot_version=service.version,
    )


async def tables(request: Request) -> TablesResponse:
    """Lists the tables."""
    service = service_of(request)
    found = [table_info(name, table) for name, table in sorted(service.tables.items())]
    return TablesResponse(snapshot_version=service.version, tables=found)


async def table(request: Request, table: TableName) -> TableResponse:
    """Describes one table."""
    service = service_of(request)
    info = table_info(table, service.table(table))
    return TableResponse(snapshot_version=service.version, **dict(info))


async def info(request: Request) -> InfoResponse:
    """Says what this server is and what it allows."""
    service, state = service_of(request), request.scope["serving"]
    settings = state.settings
    return InfoResponse(
        library_version=recsys_embed.__version__,
        snapshot_version=service.version,
        tables=sorted(service.tables),
        indexes=[] if state.retriever is None else sorted(state.retriever.indexes()),
        formats=list(ONE_TABLE),
        max_ids=settings.max_ids,
        max_body_bytes=settings.max_body_bytes,
        max_k=settings.max_k,
        max_queries=settings.max_queries,
        max_items=settings.max_items,
        read_only=settings.read_only,
        following=following_info(state.follower),
    )


async def live(request: Request) -> LiveResponse:
    """Answers as long as the process does; looks at nothing else."""
    return LiveResponse()


async def ready(request: Request) -> ReadyResponse:
    """Answers 200 once lookups will be answered, 503 before; degraded ones are answered as well."""
    version, state = service_of(request).version, request.scope["serving"]
    standing = Standing("", "") if state.follower is None else state.follower.standing
    refused = [index.refused for index in state.indexes() if index.refused is not None]
    reason = next(iter(refused), None) if standing.reason is None else standing.reason
    return ReadyResponse(
        status="ready" if reason is None else "degraded",
        snapshot_version=version,
        reason=reason,
        lag_entries=standing.lag_entries,
        lag_seconds=standing.lag_seconds,
    )


async def metrics(request: Request) -> Response:
    """All counters, in Prometheus' text format."""
    return Response(request.scope["serving"].metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
