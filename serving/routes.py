"""The routes: HTTP to queries, answers to HTTP, and nothing in between."""

from time import perf_counter
from typing import Annotated

from fastapi import Path
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

import recsys_embed
from recsys_embed.config import to_dict
from recsys_embed.snapshot import SnapshotTable
from serving.bodies import UnsupportedContentError, content_of, header, read_body
from serving.errors import NotReadyError
from serving.formats import (
    JSON,
    ONE_TABLE,
    SEVERAL_TABLES,
    Encoded,
    encode_one,
    encode_several,
    negotiate,
)
from serving.lookup import Answer, LookupService, Query
from serving.queries import check_count, parse, policy_of, query_of, raw_query_of
from serving.schemas import (
    InfoResponse,
    LiveResponse,
    LookupRequest,
    LookupsRequest,
    ReadyResponse,
    TableInfo,
    TableResponse,
    TablesResponse,
)
from serving.state import State

TableName = Annotated[str, Path(description="name of a table, as GET /v1/tables lists it")]


def service_of(request: Request) -> LookupService:
    """The service this request started with.

    Raises:
        NotReadyError: before a snapshot is loaded.
    """
    service: LookupService | None = request.scope["service"]
    if service is None:
        raise NotReadyError("no snapshot is loaded yet; ask /readyz and try again")
    return service


async def lookup_table(request: Request, table: TableName) -> Response:
    """Gives every id its vector, in the order asked, duplicates kept.

    The body is JSON, or the ids as raw little-endian int64. The answer is JSON, an Arrow IPC stream
    (table, id, status, vector), an .npy file, or raw little-endian float32, as Accept prefers.
    """
    service, media_type = service_of(request), negotiate(header(request, b"accept"), ONE_TABLE)
    policy, content = policy_of(request.scope["query_string"]), content_of(request)
    body = await read_body(request, request.scope["serving"].settings.max_body_bytes)
    if content == "raw":
        query = raw_query_of(table, body, policy)
    else:
        query = query_of(table, parse(LookupRequest, body), policy)
    [answer] = _answers(request, service, [query])
    return _response(encode_one(answer, service.version, media_type))


async def lookup_tables(request: Request) -> Response:
    """Answers lookups in several tables at once, from one snapshot; all are answered or none."""
    service, media_type = service_of(request), negotiate(header(request, b"accept"), SEVERAL_TABLES)
    policy = policy_of(request.scope["query_string"])
    if content_of(request) == "raw":
        raise UnsupportedContentError(f"expected Content-Type {JSON}: raw ids name no table")
    body = await read_body(request, request.scope["serving"].settings.max_body_bytes)
    queries = [query_of(one.table, one, policy) for one in parse(LookupsRequest, body).lookups]
    answers = _answers(request, service, queries)
    return _response(encode_several(answers, service.version, media_type))


def _answers(request: Request, service: LookupService, queries: list[Query]) -> list[Answer]:
    state: State = request.scope["serving"]
    check_count(queries, state.settings.max_ids)
    started = perf_counter()
    answers = service.lookup_many(queries)
    state.metrics.looked_up(answers, perf_counter() - started)
    return answers


def _response(encoded: Encoded) -> Response:
    return Response(encoded.body, 200, encoded.headers, encoded.media_type)


def _table_info(name: str, table: SnapshotTable) -> TableInfo:
    return TableInfo(
        name=name, dim=table.config.dim, rows=table.num_rows, config=to_dict(table.config)
    )


async def tables(request: Request) -> TablesResponse:
    """Lists the tables."""
    service = service_of(request)
    found = [_table_info(name, table) for name, table in sorted(service.tables.items())]
    return TablesResponse(snapshot_version=service.version, tables=found)


async def table(request: Request, table: TableName) -> TableResponse:
    """Describes one table."""
    service = service_of(request)
    info = _table_info(table, service.table(table))
    return TableResponse(snapshot_version=service.version, **dict(info))


async def info(request: Request) -> InfoResponse:
    """Says what this server is and what it allows."""
    service = service_of(request)
    settings = request.scope["serving"].settings
    return InfoResponse(
        library_version=recsys_embed.__version__,
        snapshot_version=service.version,
        tables=sorted(service.tables),
        formats=list(ONE_TABLE),
        max_ids=settings.max_ids,
        max_body_bytes=settings.max_body_bytes,
    )


async def live(request: Request) -> LiveResponse:
    """Answers as long as the process does; looks at nothing else."""
    return LiveResponse()


async def ready(request: Request) -> ReadyResponse:
    """Answers 200 once lookups will be answered, 503 before."""
    return ReadyResponse(snapshot_version=service_of(request).version)


async def metrics(request: Request) -> Response:
    """All counters, in Prometheus' text format."""
    return Response(request.scope["serving"].metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
