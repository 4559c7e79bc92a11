"""Whatever index is put into service under load, no answer mixes two and no request fails.

RECSYS_SWAPS sets how many snapshots with towers of their own a trainer brings meanwhile.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from recsys_embed.delta_log import Base, open_log
from tests.following.publishing import until
from tests.following.test_server import serving
from tests.retrieval_http.clients import answered, asking
from tests.retrieval_serving.planted import Planted, plant
from tests.serving.running import Server

SNAPSHOTS = int(os.environ.get("RECSYS_SWAPS", "2"))
ROLLBACKS = max(0, 50 - SNAPSHOTS)
INDEX, K = "/v1/indexes/items", 20
Floats = NDArray[np.float32]


class Known(NamedTuple):
    """What one tower version must answer: unit vectors by item, unit queries of some users."""

    vectors: dict[int, Floats]
    queries: list[Floats]


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


class Shops:
    """A trainer whose every snapshot has towers, tables and vectors of its own; a log names it."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, open_log(str(root / "log"))
        self.known = dict[str, Known]()
        self.users: list[dict[str, Any]] = []

    def bring(self) -> str:
        """Writes the next snapshot and has the log begin anew with it; gives its tower version."""
        number, lineage = len(self.known), str(uuid4())
        version, log = f"v{number}", {"lineage": lineage, "number": 0}
        root = self.root / "snapshots"
        shop = plant(root, version=version, items=60, seed=number, extra={"log": log})
        self.users = shop.user_features[:5]
        self.known[version] = _known(shop, self.users)
        self.log.open_writer(lineage, base=Base(0, str(shop.path)), take_over=True).close()
        return version


def _known(shop: Planted, users: list[dict[str, Any]]) -> Known:
    vectors = dict(zip(shop.ids.tolist(), unit(shop.vectors), strict=True))
    return Known(vectors, [unit(shop.query(user)) for user in users])


@pytest.fixture
def shops(tmp_path: Path) -> Shops:
    shops = Shops(tmp_path)
    shops.bring()
    return shops


@pytest.fixture
def server(shops: Shops) -> Iterator[Server]:
    with serving(f"{shops.root}/log") as server:
        until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
        yield server


def check(known: Known, user: int, answer: dict[str, Any]) -> None:
    """All of an answer, query and items, is of the tower version that it names."""
    ids, vectors = answer["ids"], np.array(answer["vectors"], np.float32)
    scores, query = np.array(answer["scores"], np.float32), known.queries[user]
    assert len(set(ids)) == K
    np.testing.assert_allclose(vectors, [known.vectors[one] for one in ids], atol=1e-5)
    np.testing.assert_allclose(scores, vectors @ query, atol=1e-5)
    best = np.sort(np.stack(list(known.vectors.values())) @ query)[::-1][:K]
    np.testing.assert_allclose(scores, best, atol=1e-5)


def test_swaps_under_load_mix_nothing_and_fail_nobody(shops: Shops, server: Server) -> None:
    names = dict[str, str]()  # of versions, to that of their towers

    def ask(number: int, http: httpx.Client) -> int:
        user = number % len(shops.users)
        body = {"features": shops.users[user], "index": "items", "k": K, "with": ["vector"]}
        answer = answered(http.post("/v1/recommend", json=body))
        tower = answer["tower_version"]
        assert (answer["query_version"], answer["bridged"]) == (tower, False)
        assert names.setdefault(answer["index_version"], tower) == tower
        check(shops.known[tower], user, answer)
        searches = [{"decimal_item": one, "k": 1} for one in answer["decimal_ids"][:3]]
        batch = answered(http.post(f"{INDEX}/search:batch", json={"searches": searches}))
        assert len({one["index_version"] for one in batch["answers"]}) == 1
        return 2

    with asking(4, ask, server.url) as clients, httpx.Client(base_url=server.url) as http:
        for _ in range(SNAPSHOTS):
            tower = shops.bring()
            until(lambda: http.get(INDEX).json()["tower_version"] == tower)  # noqa: B023
        active = answered(http.get(INDEX))["version"]
        for _ in range(ROLLBACKS):
            before, active = active, answered(http.post(f"{INDEX}:rollback"))["version"]
            assert active != before
            seen = clients.asked
            until(lambda: clients.asked >= seen + 4 or clients.wrong)  # noqa: B023
    assert clients.asked >= 4 * ROLLBACKS
    assert len(set(names.values())) >= 2
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    failed = [line for line in lines if 'status="5' in line and "/v1/" in line]
    assert not failed
