"""The application: which routes there are, and what is open while it runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

import recsys_embed
from serving import documentation as docs
from serving import routes
from serving.lean import LeanAPI, LeanRoute
from serving.lookup import LookupService
from serving.settings import Settings
from serving.state import State

SUMMARY = "Embeddings of a snapshot, by id. Every answer names the snapshot it comes from."


def route_list() -> list[BaseRoute]:
    """Every route there is; the ones asked most come first, since matching goes down the list."""
    return [
        LeanRoute("/v1/tables/{table}/lookup", routes.lookup_table, **docs.LOOKUP_TABLE),
        LeanRoute("/v1/lookup", routes.lookup_tables, **docs.LOOKUP_TABLES),
        LeanRoute("/v1/tables", routes.tables, **docs.told(503)),
        LeanRoute("/v1/tables/{table}", routes.table, **docs.told(404, 503)),
        LeanRoute("/v1/tables/{table}/items", routes.items, **docs.ITEMS),
        LeanRoute("/v1/info", routes.info, **docs.told(503)),
        LeanRoute("/livez", routes.live, **docs.told()),
        LeanRoute("/readyz", routes.ready, **docs.told(503)),
        LeanRoute("/metrics", routes.metrics, response_class=Response, **docs.METRICS),
    ]


def create_app(
    settings: Settings,
    open_service: Callable[[Path], LookupService] = LookupService.open,
    counts: Path | None = None,
) -> LeanAPI:
    """Builds the application; the snapshot is opened when it starts, and served until it stops.

    Args:
        settings: what the server was told.
        open_service: makes the service of a snapshot, in a thread; may raise SnapshotError.
        counts: a folder by which several workers share their counters.
    """
    state = State(settings, counts)

    @asynccontextmanager
    async def lifespan(app: LeanAPI) -> AsyncIterator[None]:
        state.service = await run_in_threadpool(open_service, settings.snapshot)
        yield
        state.service = None
        state.metrics.publish()

    return LeanAPI(
        state,
        title="recsys-serve",
        version=recsys_embed.__version__,
        description=SUMMARY,
        routes=route_list(),
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        # looking for an OpenTelemetry provider takes a tenth of a request; /metrics counts instead
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
