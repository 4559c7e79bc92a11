"""Servers to measure, and a load generator that costs less than what it measures."""

import os
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

Address = tuple[str, int]

PROBE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
TRIES = 500


def free_port() -> int:
    """Gives a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, env: Mapping[str, str]) -> Iterator[int]:
    """Runs a server until the block ends; yields its process id once it answers."""
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(process, ("127.0.0.1", port))
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: Address) -> None:
    while True:
        try:
            Connection(address).exchange(PROBE)
            return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args} ended with {process.returncode}") from None
            time.sleep(0.05)


class Connection:
    """One kept-alive connection; `left` counts the bytes still to come of the answer under way."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = 0

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self, buffer: bytearray) -> bool:
        """Takes what has arrived; says if the answer is complete. Any status but 200 raises."""
        count = self.socket.recv_into(buffer)
        if not count:
            raise ConnectionError("the server closed a connection")
        if not self.left:
            end = buffer.index(b"\r\n\r\n", 0, count) + 4
            head = bytes(buffer[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                raise ConnectionError(f"expected an answer of 200, got {bytes(buffer[:count])!r}")
            start = head.index(b"content-length:") + 15
            self.left = end + int(head[start : head.index(b"\r", start)])
        self.left -= count
        return self.left == 0

    def exchange(self, request: bytes) -> bytes:
        """Sends one request and gives the status line, headers and body of its answer."""
        self.send(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._some()
        head, _, _ = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))  # type: ignore[union-attr]
        while len(answer) < len(head) + 4 + length:
            answer += self._some()
        return answer

    def _some(self) -> bytes:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed a connection")
        return data


class Load:
    """Connections that are always busy: each sends its next request as soon as it is answered."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self.connections = {one.socket.fileno(): one for one in connections}
        self.poller = select.epoll()
        for number in self.connections:
            self.poller.register(number, select.EPOLLIN)
        self.buffer = bytearray(1 << 20)

    def run(self, requests: Sequence[bytes]) -> None:
        """Sends every request once and returns when all are answered."""
        waiting = iter(requests)
        for connection, request in zip(self.connections.values(), waiting, strict=False):
            connection.send(request)
        answered = 0
        while answered < len(requests):
            for number, _ in self.poller.poll():
                connection = self.connections[number]
                if connection.receive(self.buffer):
                    answered += 1
                    request = next(waiting, b"")
                    if request:
                        connection.send(request)


def spread(address: Address, server: int, workers: int, each: int) -> list[Connection]:
    """Opens connections until every worker of a server has accepted the same number.

    The kernel gives a new connection to whichever worker wakes first, and all eight to one worker
    is no measurement of two.
    """
    if workers == 1:
        return [Connection(address) for _ in range(each)]
    held: dict[int, list[Connection]] = {pid: [] for pid in _workers_of(server, workers)}
    for _ in range(TRIES):
        connection = Connection(address)
        connection.exchange(PROBE)
        worker = held[_holder(connection, list(held))]
        if len(worker) < each:
            worker.append(connection)
        else:
            connection.socket.close()
            time.sleep(0.01)  # the other worker may still be starting
        if all(len(some) == each for some in held.values()):
            return [one for some in held.values() for one in some]
    raise RuntimeError(
        f"after {TRIES} connections the workers hold {list(map(len, held.values()))}"
    )


def _workers_of(server: int, workers: int) -> list[int]:
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    spawned = [
        pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    if len(spawned) != workers:
        raise RuntimeError(f"expected {workers} workers of process {server}, found {spawned}")
    return [int(pid) for pid in spawned]


def _holder(connection: Connection, pids: Sequence[int]) -> int:
    """Finds the process that holds the server's end of a connection."""
    port = f":{connection.socket.getsockname()[1]:04X}"
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    inode = next(entry[9] for entry in entries if entry[2].endswith(port))
    return next(pid for pid in pids if f"socket:[{inode}]" in _open_files(pid))


def _open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.add(str(link.readlink()))
    return found
