"""Asks an ASGI application in this process, one request at a time, every byte under control."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from serving.lean import LeanAPI

RAW = "application/octet-stream"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asker:
    """A client without a network. Chunks of a body arrive one by one; None: the client left."""

    def __init__(self, app: LeanAPI, *, start: bool = True) -> None:
        self.app = app
        if start:
            asyncio.run(self._start())

    async def _start(self) -> None:
        context = self.app.router.lifespan_context(self.app)
        await context.__aenter__()

    def get(self, target: str, headers: dict[str, str] | None = None) -> Reply:
        return self.ask("GET", target, headers or {}, [b""])

    def post(
        self,
        target: str,
        body: Any,
        *,
        content_type: str | None = "application/json",
        **headers: str,
    ) -> Reply:
        """Sends bytes as they are, everything else as JSON; further names are headers."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type is not None:
            given["content-type"] = content_type
        return self.ask("POST", target, given, [content])

    def ask(
        self, method: str, target: str, headers: dict[str, str], chunks: Sequence[bytes | None]
    ) -> Reply:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        return asyncio.run(_exchange(self.app, scope, list(chunks)))


async def _exchange(app: ASGIApp, scope: Any, chunks: list[bytes | None]) -> Reply:
    sent: list[Message] = []

    async def receive() -> Message:
        chunk = chunks.pop(0) if chunks else None
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Reply(0, {}, b"")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert len(headers) == len(sent[0]["headers"]), "a header was sent twice"
    return Reply(sent[0]["status"], headers, b"".join(m["body"] for m in sent[1:]))
