"""The application: which routes there are, and what is open while it runs."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

import recsys_embed
from serving import documentation as docs
from serving import routes
from serving.following import Follower
from serving.lean import LeanAPI, LeanRoute
from serving.lookup import LookupService
from serving.metrics import Metrics
from serving.retrieval_http.paths import retrieval_routes
from serving.settings import Settings
from serving.state import State
from serving.tally import PUBLISH_EVERY_S

SWITCH_S = 0.0005  # how long an answer waits for a thread that follows or searches in Python
SUMMARY = "Embeddings of a snapshot, by id. Every answer names the snapshot it comes from."


def route_list() -> list[BaseRoute]:
    """Every route there is; the ones asked most come first, since matching goes down the list."""
    return [
        LeanRoute("/v1/tables/{table}/lookup", routes.lookup_table, **docs.LOOKUP_TABLE),
        LeanRoute("/v1/lookup", routes.lookup_tables, **docs.LOOKUP_TABLES),
        *retrieval_routes(),
        LeanRoute("/v1/tables", routes.tables, **docs.told(503)),
        LeanRoute("/v1/tables/{table}", routes.table, **docs.told(404, 503)),
        LeanRoute("/v1/tables/{table}/items", routes.items, **docs.ITEMS),
        LeanRoute("/v1/info", routes.info, **docs.told(503)),
        LeanRoute("/livez", routes.live, **docs.told()),
        LeanRoute("/readyz", routes.ready, **docs.told(503)),
        LeanRoute("/metrics", routes.metrics, response_class=Response, **docs.METRICS),
    ]


@asynccontextmanager
async def following(follower: Follower, metrics: Metrics) -> AsyncIterator[None]:
    """Follows a log meanwhile, and tells the siblings how it goes."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(PUBLISH_EVERY_S)
            metrics.publish()

    sys.setswitchinterval(SWITCH_S)
    follower.start()
    telling = asyncio.create_task(tell())
    yield
    telling.cancel()
    await run_in_threadpool(follower.stop)


def create_app(
    settings: Settings,
    open_service: Callable[[Path], LookupService] = LookupService.open,
    counts: Path | None = None,
    settled: Callable[[], None] = lambda: None,
) -> LeanAPI:
    """Builds the application; when it starts, the snapshot is opened or the log followed.

    Args:
        settings: what the server was told.
        open_service: makes the service of a snapshot, in a thread; may raise SnapshotError.
        counts: a folder by which several workers share their counters.
        settled: called once a log that is followed has given something to serve.
    """
    state = State(settings, counts, settled)

    @asynccontextmanager
    async def lifespan(app: LeanAPI) -> AsyncIterator[None]:
        if state.follower is None:
            assert settings.snapshot is not None, "neither a snapshot nor a log"
            await run_in_threadpool(
                state.begin, await run_in_threadpool(open_service, settings.snapshot)
            )
            if state.retriever is not None:
                sys.setswitchinterval(SWITCH_S)
            yield
        else:
            async with following(state.follower, state.metrics):
                yield
        state.metrics.publish()
        await run_in_threadpool(state.end)

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
