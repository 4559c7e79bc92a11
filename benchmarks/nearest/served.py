"""What a user tower and its lookups add, over HTTP: a recommendation beside a bare search."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.batches import ids_of
from benchmarks.http_load import Connection, free_port, serving
from benchmarks.measure import Result
from benchmarks.nearest.sides import K
from benchmarks.nearest.towers import DIM, MAX_HISTORY, Towers, UserTower
from recsys_embed.retrieval.description import Ids, IndexDescription, Tower
from training.retrieval.export import Bundle, ItemIndex, Vectors, write_retrieval
from training.retrieval.export.bundle import vector_table
from training.retrieval.export.onnx_file import to_onnx

SERVER = [sys.executable, "-m", "serving.cli", "--log-level", "warning"]
RECOMMEND, SEARCH = "/v1/recommend", "/v1/indexes/items/search"
WARMUP = 50
ALIKE = 0.99  # of the items that both must name: floats in JSON and in ONNX differ in last bits


class OfMeans(nn.Module):
    """The part of the user tower that a server runs: it has pooled the history itself."""

    def __init__(self, tower: UserTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, history: Tensor) -> Tensor:
        return self.tower.of_means(history)


def measure(learned: Towers, requests: int) -> Iterator[Result]:
    """Asks for the same users by their histories and by their vectors, in turn."""
    users = np.random.default_rng(6).integers(0, len(learned.users), requests + WARMUP)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), learned)
        port = free_port()
        with serving([*SERVER, "--snapshot", folder], port, {}):
            connection = Connection(("127.0.0.1", port))
            _check(connection, learned, users[:WARMUP])
            took = np.array([_both(connection, learned, user) for user in users])[WARMUP:]
    for share in (50, 99):
        recommend, search = (1e3 * float(np.percentile(side, share)) for side in took.T)
        key = f"recommend_p{share}_ms_over_search"
        yield Result(key, recommend - search, "ms", recommend, search)


def write(root: Path, learned: Towers) -> None:
    """Writes the snapshot that is served: the tower, the rows it pools, the items' vectors."""
    ids = ids_of(np.arange(len(learned.items)))
    rows = learned.tower.items.weight.detach().numpy()[: len(ids)]
    tower = Tower((Ids("history", "place", most=MAX_HISTORY),), DIM)
    file = to_onnx(OfMeans(learned.tower), tower, [DIM])
    described = IndexDescription("item_vector", "inner_product", user_tower="user")
    index = ItemIndex(described, Vectors(ids, learned.items), queries=learned.users[:1000])
    tables = {"place": vector_table("place", Vectors(ids, rows))}
    write_retrieval(root, Bundle(tables, {"user": (tower, file)}, {"items": index}))


def _bodies(learned: Towers, user: int) -> tuple[bytes, bytes]:
    history = learned.histories[user]
    chosen = ids_of(history[history < len(learned.items)]).tolist()
    recommend = {"features": {"history": chosen}, "k": K}
    search = {"vector": learned.users[user].tolist(), "k": K}
    return _request(RECOMMEND, recommend), _request(SEARCH, search)


def _request(path: str, body: dict[str, object]) -> bytes:
    written = orjson.dumps(body)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(written)}\r\n\r\n".encode() + written


def _both(connection: Connection, learned: Towers, user: int) -> list[float]:
    took = []
    for request in _bodies(learned, user):
        start = time.perf_counter()
        connection.exchange(request)
        took.append(time.perf_counter() - start)
    return took


def _check(connection: Connection, learned: Towers, users: NDArray[np.int64]) -> None:
    """Holds that both ways lead to the same items, else nothing would be compared."""
    for user in users:
        found = [_ids(connection.exchange(request)) for request in _bodies(learned, user)]
        alike = len(np.intersect1d(*found)) / K
        if alike < ALIKE:
            raise RuntimeError(f"recommendation and search share {alike:.2f} of {K} items")


def _ids(answer: bytes) -> list[int]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"expected an answer of 200, got {answer!r}")
    ids: list[int] = orjson.loads(body)["ids"]
    return ids
