"""How long it takes from an event in a Redis stream to its effect in an HTTP answer."""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson
import redis

from benchmarks.http_load import Connection, free_port, serving
from benchmarks.measure import Result
from benchmarks.planted_stream import write_config
from recsys_embed.delta_log import open_log
from recsys_embed.errors import RecsysEmbedError
from tests.redis_server import RedisServer

FIRST_PROBE = 1 << 40  # ids that no other event has
LOAD_PER_S, LOAD_EVERY_S = 1000, 0.05
PROBE_EVERY_S, ASK_EVERY_S = 0.05, 0.005
START_S, LAST_S = 30.0, 20.0
SERVER = [sys.executable, "-m", "serving.cli", "--log-level", "warning"]


def measure(seconds: float) -> Iterator[Result]:
    """Real processes: Redis, `recsys-train online`, `recsys-serve --follow`, and this one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = RedisServer(folder)
        try:
            for kind, log in (("", str(folder / "run" / "log")), ("_redis_log", f"{server.url}/l")):
                waited = np.sort(_run(folder, server.url, log, seconds))
                p50, p99 = np.quantile(waited, [0.5, 0.99])
                targets = (None, None) if kind else (1.0, 2.0)
                for key, value, target in (("p50", p50, targets[0]), ("p99", p99, targets[1])):
                    yield Result(
                        f"event_to_served{kind}_{key}_s", value, "s", target=target, at_most=True
                    )
        finally:
            server.kill()


def _run(folder: Path, url: str, log: str, seconds: float) -> list[float]:
    with redis.Redis.from_url(url) as client:
        client.delete("events")
        _send(client, _load(np.random.default_rng(0), LOAD_PER_S))
        with _training(folder, url, log), serving_log(log) as port:
            stop = threading.Event()
            load = threading.Thread(target=_keep_sending, args=(url, stop))
            load.start()
            try:
                return _probe(client, Connection(("127.0.0.1", port)), seconds)
            finally:
                stop.set()
                load.join()


@contextmanager
def _training(folder: Path, url: str, log: str) -> Iterator[None]:
    config = write_config(folder, "redis", url=url)
    command = [sys.executable, "-m", "training.cli", "online", str(config), "--anew"]
    command += ["--output", str(folder / "run"), "--set", f"publish.log={log}"]
    said = (folder / "said").open("w")
    process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_for_log(log, process, folder / "said")
        yield
    finally:
        process.terminate()
        process.wait(60)


def wait_for_log(log: str, process: "subprocess.Popen[bytes]", said: Path) -> None:
    """Waits until a trainer has written its first entry."""
    opened, deadline = open_log(log), time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if opened.head().number:
                return
        except RecsysEmbedError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{log} was not begun within {START_S} s; the trainer: {said.read_text()}")


@contextmanager
def serving_log(log: str) -> Iterator[int]:
    """Serves what follows from a log; gives the port once it is ready."""
    port = free_port()
    with serving([*SERVER, "--follow", log], port, {}):
        connection, deadline = Connection(("127.0.0.1", port)), time.monotonic() + START_S
        while not (answer := connection.exchange(_get("/readyz"))).startswith(b"HTTP/1.1 200"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{log} is not served within {START_S} s: {answer!r}")
            time.sleep(0.05)
        yield port


def _probe(client: redis.Redis, connection: Connection, seconds: float) -> list[float]:
    """Sends events of new users, and asks for them until they are there."""
    waiting, took = dict[int, float](), list[float]()
    begin = time.perf_counter()
    number, end = 0, begin + seconds
    while (now := time.perf_counter()) < end or waiting:
        if now > end + LAST_S:
            raise RuntimeError(f"{len(waiting)} of {number} events are not served after {LAST_S} s")
        if now < end and now >= begin + number * PROBE_EVERY_S:
            user = FIRST_PROBE + int(begin * 1e6) % 10**9 * 1000 + number
            waiting[user] = time.perf_counter()
            _send(client, [_event(user, number % 1000)])
            number += 1
        if waiting:
            users = list(waiting)
            body = orjson.dumps({"ids": users, "missing": "zeros"})
            answer = connection.exchange(_post("/v1/tables/user/lookup", body))
            status = orjson.loads(answer.partition(b"\r\n\r\n")[2])["status"]
            now = time.perf_counter()
            took += [
                now - waiting.pop(u) for u, s in zip(users, status, strict=True) if s == "found"
            ]
        time.sleep(ASK_EVERY_S)
    return took


def _keep_sending(url: str, stop: threading.Event) -> None:
    rng, due = np.random.default_rng(1), time.monotonic()
    with redis.Redis.from_url(url) as client:
        while not stop.is_set():
            _send(client, _load(rng, int(LOAD_PER_S * LOAD_EVERY_S)))
            due += LOAD_EVERY_S
            stop.wait(max(0.0, due - time.monotonic()))


def _load(rng: np.random.Generator, count: int) -> list[bytes]:
    users, items = rng.integers(0, 100_000, count), rng.zipf(1.2, count) % 100_000
    return [_event(int(user), int(item)) for user, item in zip(users, items, strict=True)]


def _event(user: int, item: int) -> bytes:
    label = (user + item) % 3 == 0
    now = time.time()
    return orjson.dumps(
        {"type": "event", "key": f"{user}-{now}", "time": now, "label": int(label)}
        | {"user": user, "item": item}
    )


def _send(client: redis.Redis, records: list[bytes]) -> None:
    pipe = client.pipeline(transaction=False)
    for record in records:
        pipe.xadd("events", {"record": record})
    pipe.execute()


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
