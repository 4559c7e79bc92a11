"""What is written over HTTP is found by the next search, and what is deleted never again.

RECSYS_WRITES sets how many operations, over all clients, go to a real server.
"""

import os
import random
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.following.publishing import until
from tests.retrieval_http.clients import answered, asking
from tests.retrieval_serving.planted import DIM, Planted, plant
from tests.serving.running import Server, running

WRITES = int(os.environ.get("RECSYS_WRITES", "400"))
CLIENTS, OWN = 4, 40
INDEX = "/v1/indexes/items"
FIRST = 10**12  # ids from here on are the clients'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def items(tmp_path: Path) -> str:
    return str(tmp_path / "items")


@pytest.fixture
def server(shop: Planted, items: str) -> Iterator[Server]:
    with running(shop.root, "--items", items, "--max-k", "10000") as server:
        yield server


class Writer:
    """A client that writes items of its own, and knows which of them there are."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.ids = range(FIRST + number * OWN, FIRST + (number + 1) * OWN)
        self.alive = dict[int, list[float]]()
        self.operations = 0

    def step(self, http: httpx.Client) -> int:
        """Does one thing at random; every search is held to what this client did before."""
        self.operations += 1
        chosen = self.random.sample(self.ids, self.random.randint(1, 3))
        kind = self.random.choice(("upsert", "upsert", "delete", "search"))
        if kind == "upsert":
            self._upsert(http, chosen)
        elif kind == "delete":
            self._delete(http, chosen)
        return 1 + self._search(http, self.random.choice(self.ids))

    def _upsert(self, http: httpx.Client, ids: list[int]) -> None:
        vectors = {one: [self.random.gauss(0, 1) for _ in range(DIM)] for one in ids}
        items = [
            {"id": one, "vector": vector, "attributes": {"price": one % 7}}
            for one, vector in vectors.items()
        ]
        written = answered(http.post(f"{INDEX}/items:upsert", json={"items": items}))
        assert (written["ids"], written["durable"]) == (ids, True)
        self.alive |= vectors
        self._search(http, ids[-1])

    def _delete(self, http: httpx.Client, ids: list[int]) -> None:
        deleted = answered(http.post(f"{INDEX}/items:delete", json={"ids": ids}))
        assert deleted["missing"] == len([one for one in ids if one not in self.alive])
        for one in ids:
            self.alive.pop(one, None)
        self._search(http, ids[-1])

    def _search(self, http: httpx.Client, one: int) -> int:
        """Searches near an item, filtered or not: found by its vector if it is there, else not."""
        vector = self.alive.get(one, [1.0] * DIM)
        body: dict[str, Any] = {"vector": vector, "k": 50}
        if self.random.random() < 0.5:
            body["filter"] = {"field": "price", "eq": one % 7}
        found = answered(http.post(f"{INDEX}/search", json=body))["ids"]
        assert not {two for two in found if two in self.ids} - self.alive.keys()
        if one in self.alive:
            assert one in found[:2], "an item is nearest to its own vector"
        return 1


def everything(url: str) -> set[int]:
    body = {"vector": [1.0] * DIM, "k": 10_000}
    return set(answered(httpx.post(f"{url}{INDEX}/search", json=body))["ids"])


def test_what_is_upserted_is_found_and_what_is_deleted_never(
    shop: Planted, server: Server, items: str
) -> None:
    writers = [Writer(number) for number in range(CLIENTS)]

    def step(number: int, http: httpx.Client) -> int:
        return writers[number].step(http)

    def done() -> bool:
        return sum(one.operations for one in writers) >= WRITES

    with asking(CLIENTS, step, server.url) as clients, httpx.Client(base_url=server.url) as http:
        while not done() and not clients.wrong:  # versions come and go meanwhile
            version = answered(http.post(f"{INDEX}:rebuild"))["version"]
            until(lambda: _is_built(http, version))  # noqa: B023
            answered(http.post(f"{INDEX}:activate", json={"version": version}))
            if not done():
                answered(http.post(f"{INDEX}:rollback"))
    alive = set(shop.ids.tolist()).union(*(one.alive for one in writers))
    assert everything(server.url) == alive
    assert server.stop() == 0
    with running(shop.root, "--items", items, "--max-k", "10000") as again:
        assert everything(again.url) == alive, "what was answered outlives the server"


def _is_built(http: httpx.Client, version: str) -> bool:
    versions = answered(http.get(INDEX))["versions"]
    return {one["version"]: one["state"] for one in versions}[version] == "ready"


HALVES = 6


def test_a_server_told_to_stop_finishes_what_it_has_begun(
    shop: Planted, server: Server, items: str
) -> None:
    taken = set[int]()

    def write(number: int, http: httpx.Client) -> int:
        one = FIRST + len(taken) * CLIENTS + number
        item = {"id": one, "vector": [1.0] * DIM}
        try:
            reply = http.post(f"{INDEX}/items:upsert", json={"items": [item]})
        except httpx.TransportError:  # not taken any more: no byte of an answer has come
            return 0
        assert reply.status_code == 200, reply.text
        taken.add(one)
        return 1

    body = b'{"vector": [1, 1, 1, 1, 1, 1, 1, 1]}'
    head = f"POST {INDEX}/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    half = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body)
    with asking(CLIENTS, write, server.url) as clients:
        until(lambda: clients.asked > 20 or clients.wrong)
        waiting = [socket.create_connection(server.address) for _ in range(HALVES)]
        for connection in waiting:
            connection.sendall(half)
        until(lambda: _inflight(server.url) > HALVES)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("Shutting down")
        for connection in waiting:
            connection.sendall(body)
        for connection in waiting:
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
            connection.close()
        rest, _ = server.process.communicate()
    assert server.process.returncode == 0 and "Traceback" not in server.said + rest
    with running(shop.root, "--items", items, "--max-k", "10000") as again:
        assert taken <= everything(again.url), "what was answered was kept"


def _inflight(url: str) -> float:
    text = httpx.get(f"{url}/metrics").text
    return float(re.findall(r"^recsys_inflight (\S+)$", text, re.MULTILINE)[0])
