"""Writes that wait for the log of items keep nobody waiting but the writes behind them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from serving.retrieval_http import writers
from tests.retrieval_http.conftest import LIMITS, Faked, faked

INDEX = "/v1/indexes/items"
PATIENCE_S = 30
WRITES: list[tuple[str, str, Any]] = [
    ("upsert", "/items:upsert", {"items": [{"id": 1, "vector": [1, 0]}]}),
    ("delete", "/items:delete", {"ids": [1]}),
    ("rebuild", ":rebuild", {}),
    ("activate", ":activate", {"version": "items@7.1"}),
    ("rollback", ":rollback", {}),
]


def held(
    fake: Faked, name: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[threading.Event, list[Any]]:
    """Has writes wait until the event is set, as for a log that another holds; lists them."""
    event, write, waiting = threading.Event(), getattr(fake.retriever, name), list[Any]()

    def wait(*asked: Any) -> Any:
        waiting.append(asked)
        event.wait()
        return write(*asked)

    monkeypatch.setattr(fake.retriever, name, wait)
    return event, waiting


def meanwhile(
    fake: Faked, event: threading.Event, do: Callable[[httpx.AsyncClient], Awaitable[None]]
) -> None:
    """Does something as one client of the application, all in one loop; then lets writes go on."""

    async def run() -> None:
        transport = httpx.ASGITransport(fake.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
            try:
                await asyncio.wait_for(do(http), PATIENCE_S)
            finally:
                event.set()

    try:
        asyncio.run(run())
    finally:
        fake.retriever.close()


@pytest.mark.parametrize(("name", "route", "body"), WRITES, ids=[name for name, *_ in WRITES])
def test_all_that_reads_is_answered_while_writes_wait(
    name: str, route: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = faked(LIMITS)
    event, waiting = held(fake, name, monkeypatch)

    async def do(http: httpx.AsyncClient) -> None:
        writes = [asyncio.ensure_future(http.post(INDEX + route, json=body)) for _ in range(60)]
        while len(waiting) < writers.THREADS:
            await asyncio.sleep(0.01)
        for target in ("/v1/indexes", INDEX, "/metrics", "/v1/tables"):
            assert (await http.get(target)).status_code == 200
        found = await http.post(f"{INDEX}/search", json={"vector": [1, 0]})
        assert found.status_code == 200
        assert not any(write.done() for write in writes)
        event.set()
        assert {reply.status_code for reply in await asyncio.gather(*writes)} <= {200, 202}

    meanwhile(fake, event, do)


def test_more_writes_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers.Writers.__init__, "__defaults__", (2, 5))
    fake = faked(LIMITS)
    event, _ = held(fake, "delete", monkeypatch)

    async def do(http: httpx.AsyncClient) -> None:
        async def write() -> httpx.Response:
            return await http.post(f"{INDEX}/items:delete", json={"ids": [1]})

        writes = [asyncio.ensure_future(write()) for _ in range(8)]
        while sum(write.done() for write in writes) < 3:
            await asyncio.sleep(0.01)
        replies = [write.result() for write in writes if write.done()]
        assert [(one.status_code, one.json()["code"]) for one in replies] == [(503, "busy")] * 3
        assert {one.headers["retry-after"] for one in replies} == {"1"}
        event.set()
        answers = sorted(reply.status_code for reply in await asyncio.gather(*writes))
        assert answers == [200] * 5 + [503] * 3
        again = await asyncio.gather(*(write() for _ in range(5)))
        assert [reply.status_code for reply in again] == [200] * 5, "there is room again"

    meanwhile(fake, event, do)
