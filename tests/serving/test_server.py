"""Real processes: they start or say why not, share a port, keep connections, stop in good order."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.serving.asking import RAW
from tests.serving.planted import ABSENT, ITEM_IDS, MAX_IDS, Planted
from tests.serving.running import COMMAND, ROOT, Server, running, start

ITEM = "/v1/tables/item/lookup"


@pytest.fixture(scope="module")
def server(planted: Planted) -> Iterator[Server]:
    with running(planted.root, "--max-ids", str(MAX_IDS), "--max-body-bytes", "2000") as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as http:
        yield http


def test_rows_come_back_over_the_network_bit_for_bit(http: httpx.Client, planted: Planted) -> None:
    body = np.array(ITEM_IDS, "<i8").tobytes()
    reply = http.post(ITEM, content=body, headers={"content-type": RAW, "accept": RAW})
    assert reply.status_code == 200
    assert reply.content == planted.values("item", ITEM_IDS).tobytes()


def test_a_folder_of_snapshots_means_the_newest(
    http: httpx.Client, server: Server, planted: Planted
) -> None:
    assert f"snapshot = {planted.path}" in server.said
    version = http.get("/readyz").json()["snapshot_version"]
    assert f"answers from snapshot {version} on" in server.said


def test_a_server_says_what_it_decided(server: Server) -> None:
    assert f"  max_ids = {MAX_IDS}\n" in server.said
    assert "  keep_alive_s = 75  (default)\n" in server.said


def test_a_connection_lives_on_after_a_refusal(http: httpx.Client) -> None:
    for content, status in ((b"{", 400), (b"x" * 5000, 413), (b'{"ids": [1]}', 200)):
        reply = http.post(ITEM, content=content, headers={"content-type": "application/json"})
        assert reply.status_code == status


def read_answers(connection: socket.socket, count: int) -> list[bytes]:
    """Status lines of that many answers on one connection."""
    received = b""
    while len(re.findall(rb"HTTP/1.1 \d+", received)) < count or not received.endswith(b"}"):
        chunk = connection.recv(65536)
        assert chunk, f"the server closed the connection after {received!r}"
        received += chunk
    return re.findall(rb"HTTP/1.1 \d+", received)


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with socket.create_connection(server.address) as connection:
        head = f"POST {ITEM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
        good, bad = b'{"ids":[1]}', b'{"ids":[true]}'
        requests = [head + b"Content-Length: %d\r\n\r\n" % len(b) + b for b in (good, bad, good)]
        connection.sendall(b"".join(requests))
        statuses = read_answers(connection, 3)
    assert statuses == [b"HTTP/1.1 200", b"HTTP/1.1 422", b"HTTP/1.1 200"]


def test_a_request_under_way_is_answered_before_the_server_stops(planted: Planted) -> None:
    body = b'{"ids": [1, 0]}'
    with running(planted.root) as server, socket.create_connection(server.address) as connection:
        connection.sendall(
            f"POST {ITEM} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body[:5]
        )
        while "recsys_inflight 2.0" not in httpx.get(f"{server.url}/metrics").text:
            pass  # the request above has not reached the application yet
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("Shutting down")
        connection.sendall(body[5:])
        assert read_answers(connection, 1) == [b"HTTP/1.1 200"]
        assert server.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_told_to_stop_exits_with_0(planted: Planted, number: signal.Signals) -> None:
    with running(planted.root) as server:
        assert httpx.post(server.url + ITEM, json={"ids": [ABSENT]}).status_code == 200
        server.process.send_signal(number)
        rest, _ = server.process.communicate()
        assert server.process.returncode == 0
        assert "Traceback" not in server.said + rest
        assert "leaked" not in server.said + rest


def samples_of(url: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in httpx.get(f"{url}/metrics").text.splitlines()]
    return {name: float(value) for name, value in lines if not name.startswith("#")}


@pytest.fixture(scope="module")
def pair(planted: Planted) -> Iterator[Server]:
    with running(planted.root, "--workers", "2") as server:
        server.wait_for("Application startup complete", times=2)
        yield server


def test_two_workers_count_as_one_server(pair: Server) -> None:
    count = 40
    for _ in range(count):  # a connection each, so that both workers get some
        assert httpx.post(pair.url + ITEM, json={"ids": [0, 1]}).status_code == 200
    found = 'recsys_lookup_status_total{status="found",table="item"}'
    agreeing = 0
    while agreeing < 6:  # a worker writes its counts down a quarter of a second after it counted
        samples = samples_of(pair.url)
        assert samples.get(found, 0) <= 2 * count
        agreeing = agreeing + 1 if samples.get(found) == 2 * count else 0
    assert samples['recsys_table_rows{table="item"}'] == 200


def test_workers_that_die_are_replaced_and_no_longer_counted(pair: Server) -> None:
    workers = re.findall(r"Started server process \[(\d+)\]", pair.said)
    assert len(set(workers)) == 2
    half = f"POST {ITEM} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n".encode()
    half += b"Content-Type: application/json\r\n\r\n{"
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection(pair.address)) for _ in range(8)]
        for connection in waiting:
            connection.sendall(half)
        while samples_of(pair.url)["recsys_inflight"] != 9:
            pass  # not all of them have reached the application yet
        for number, worker in enumerate(workers):
            os.kill(int(worker), signal.SIGKILL)
            pair.wait_for(r"Application startup complete", times=3 + number)
            for _ in range(10):
                assert httpx.post(pair.url + ITEM, json={"ids": [0]}).status_code == 200
        while samples_of(pair.url)["recsys_inflight"] != 1:
            pass  # until the living have written down that they do nothing but this scrape


def test_two_workers_stop_in_good_order(planted: Planted) -> None:
    with running(planted.root, "--workers", "2") as server:
        server.wait_for("Application startup complete", times=2)
        assert server.stop() == 0
    assert server.said.count("Finished server process") == 2
    assert "Traceback" not in server.said


def refused(*flags: str) -> str:
    """What a server that cannot start says on stderr, in one line."""
    done = subprocess.run([*COMMAND, *flags], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("recsys-serve: ")
    return line


def test_a_missing_snapshot_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    assert str(tmp_path) in refused("--snapshot", str(tmp_path))


def test_a_damaged_snapshot_ends_the_start_with_one_sentence(
    planted: Planted, tmp_path: Path
) -> None:
    shutil.copytree(planted.path, tmp_path / planted.path.name)
    shard = next((tmp_path / planted.path.name).rglob("item/rows-*.safetensors"))
    damaged = bytearray(shard.read_bytes())
    damaged[-1] ^= 1
    shard.write_bytes(damaged)
    assert shard.name in refused("--snapshot", str(tmp_path), "--workers", "2")


def test_a_port_in_use_ends_the_start_with_one_sentence(planted: Planted) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused("--snapshot", str(planted.root), "--port", port)


def test_workers_that_cannot_start_end_the_server(planted: Planted, tmp_path: Path) -> None:
    copied = tmp_path / planted.path.name
    shutil.copytree(planted.path, copied)
    with start("--snapshot", str(copied), "--port", "0", "--workers", "2") as process:
        Server(process)
        shutil.rmtree(copied)  # checked by now, gone before a worker opens it
        assert process.wait() == 2


def test_serving_imports_neither_torch_nor_training() -> None:
    code = (
        "import sys, serving.cli; "
        "print([m for m in ('torch', 'torchrec', 'training', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
