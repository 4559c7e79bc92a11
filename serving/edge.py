"""Around every request: its id, its snapshot, its counts, and an answer to what is raised."""

import logging
import re
import secrets
from time import perf_counter

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import bug, refusal
from serving.lookup import LookupService
from serving.state import State

logger = logging.getLogger(__name__)

GIVEN_ID = re.compile(rb"[\x21-\x7e]{1,128}")
CLIENT_GONE = 499


class Edge:
    """Pure ASGI around the router.

    A request keeps the service it started with, so that no answer mixes snapshots.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        tags = _tag(scope, self.state.service)
        scope["serving"] = self.state
        status = 0

        async def tagged_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = {name for name, _ in message["headers"]}
                message["headers"] += [tag for tag in tags if tag[0] not in said]
            await send(message)

        metrics = self.state.metrics
        metrics.started()
        started = perf_counter()
        try:
            await self.app(scope, receive, tagged_send)
        except ClientDisconnect:
            pass  # nobody is left to answer
        except Exception as error:
            _name(scope, tags)
            response = refusal(Request(scope), error)
            if response is None:
                logger.exception("request %s failed: %r", scope["request_id"], scope["path"])
            if status:
                raise  # half an answer is out; only cutting the connection tells the client
            await (response or bug(Request(scope)))(scope, receive, tagged_send)
        finally:
            route = scope.get("route")
            path = route.path_format if route else "none"
            metrics.answered(path, status or CLIENT_GONE, perf_counter() - started)


def _tag(scope: Scope, service: LookupService | None) -> list[tuple[bytes, bytes]]:
    """Fixes what the request sees, and says which headers its answer gets."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
    scope["service"] = service
    scope["request_id"] = given.decode() if given and GIVEN_ID.fullmatch(given) else None
    tags = [(b"x-request-id", given)] if given and scope["request_id"] else []
    return tags if service is None else [*tags, (b"x-snapshot-version", service.version.encode())]


def _name(scope: Scope, tags: list[tuple[bytes, bytes]]) -> None:
    """Gives a request that is refused an id, unless it came with one."""
    if scope["request_id"] is None:
        made = secrets.token_hex(8)
        scope["request_id"] = made
        tags.append((b"x-request-id", made.encode()))
