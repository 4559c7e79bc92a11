"""Workers of one server agree on items by their log, and refuse to write where they could not."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.following.publishing import until
from tests.retrieval_serving.planted import DIM, Planted, plant
from tests.serving.running import Server, running
from tests.serving.test_server import samples_of

INDEX = "/v1/indexes/items"
VECTOR = [1.0] * DIM
SEARCHED = 'recsys_search_total{index="items",plan="exact"}'
MEASURED = 'recsys_index_recall_queries{index="items"}'
ENOUGH = 12  # connections, each to a worker by chance


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(tmp_path_factory.mktemp("shop"))


def pair(shop: Planted, *flags: str) -> Iterator[Server]:
    with running(shop.root, "--workers", "2", *flags) as server:
        server.wait_for("Application startup complete", times=2)
        yield server


@pytest.fixture(scope="module")
def agreeing(shop: Planted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    items = tmp_path_factory.mktemp("log") / "items"
    yield from pair(shop, "--items", str(items), "--shadow-share", "1")


@pytest.fixture
def alone(shop: Planted) -> Iterator[Server]:
    yield from pair(shop)


def post(server: Server, route: str, body: Any) -> httpx.Response:
    """Asks over a connection of its own, so that any worker may answer."""
    return httpx.post(f"{server.url}{INDEX}{route}", json=body, timeout=30)


def nearest(server: Server) -> set[int]:
    found = [post(server, "/search", {"vector": VECTOR, "k": 1}).json() for _ in range(ENOUGH)]
    return {one for answer in found for one in answer["ids"]}


def test_a_write_to_one_worker_reaches_all(agreeing: Server) -> None:
    before = nearest(agreeing)
    written = post(agreeing, "/items:upsert", {"items": [{"id": -7, "vector": VECTOR}]}).json()
    assert written["durable"]
    until(lambda: nearest(agreeing) == {-7})
    deleted = post(agreeing, "/items:delete", {"ids": [-7]}).json()
    assert (deleted["missing"], deleted["entry"]) == (0, written["entry"] + 1)
    until(lambda: nearest(agreeing) == before)
    assert nearest(agreeing) == before, "it stays away"


def test_a_version_serves_in_all_workers(agreeing: Server) -> None:
    version = post(agreeing, ":rebuild", {}).json()["version"]
    until(lambda: post(agreeing, ":activate", {"version": version}).status_code == 200)
    until(lambda: _versions(agreeing) == {version})


def _versions(server: Server) -> set[str]:
    return {httpx.get(f"{server.url}{INDEX}").json()["version"] for _ in range(ENOUGH)}


def test_a_scrape_counts_the_searches_of_all_workers(agreeing: Server) -> None:
    before = settled(agreeing)
    nearest(agreeing)
    until(lambda: samples_of(agreeing.url).get(SEARCHED) == before + ENOUGH)
    until(lambda: samples_of(agreeing.url).get(MEASURED, 0) >= ENOUGH)
    samples = samples_of(agreeing.url)
    assert samples['recsys_index_recall{index="items"}'] == 1
    assert samples['recsys_index_items{index="items"}'] == 200


def settled(server: Server) -> float:
    """Searches counted so far; a worker tells the others a quarter of a second later."""
    same = [-1.0]
    while same[-8:] != same[-1:] * 8:
        time.sleep(0.1)
        same.append(samples_of(server.url).get(SEARCHED, 0))
    return same[-1]


def test_workers_that_could_not_agree_take_no_writes(alone: Server) -> None:
    for route, body in (
        ("/items:upsert", {"items": [{"id": 1, "vector": VECTOR}]}),
        ("/items:delete", {"ids": [1]}),
        (":rebuild", {}),
    ):
        reply = post(alone, route, body)
        assert (reply.status_code, reply.json()["code"]) == (409, "not_durable"), reply.text
    assert httpx.get(f"{alone.url}{INDEX}").json()["durable"] is None
