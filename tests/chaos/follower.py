"""A real `recsys-serve --follow`, always on the same port: killed, paused, started again, asked."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.chaos.rows import Rows, Tables

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 65_536  # ids; one bit of each comes in a header
Ids = Mapping[str, NDArray[np.int64]]


class Version(NamedTuple):
    """An entry of a lineage."""

    lineage: str
    number: int

    @classmethod
    def of(cls, text: str) -> "Version":
        """Reads what a server calls its version."""
        lineage, _, number = text.rpartition(":")
        return cls(lineage, int(number))


class Follower:
    """The process; what it says is in a file.

    Args:
        log: to follow.
        says: a file for what it prints, run after run.
    """

    def __init__(self, log: str, says: Path) -> None:
        self.log, self.says = log, says
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.versions: list[Version] = []  # that it was seen to serve since it was started

    def start(self) -> None:
        """Starts it; it answers some time later."""
        self.versions = []
        flags = ["--follow", self.log, "--replica", "chaos", "--port", str(self.port)]
        flags += ["--max-ids", str(AT_ONCE), "--max-body-bytes", str(1 << 26)]
        with self.says.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.cli", *flags, "--log-level", "warning"],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    def kill(self) -> None:
        """Ends it at once, paused or not."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Stops the process where it is."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def said(self) -> str:
        """What it has printed so far."""
        return self.says.read_text() if self.says.exists() else ""

    def ready(self) -> dict[str, Any]:
        """What /readyz says; nothing while it answers no lookups."""
        try:
            status, _, body = self._ask("GET", "/readyz")
        except OSError:
            assert self.process and self.process.poll() is None, self.said()
            return {}
        return json.loads(body) if status == 200 else {}

    def version(self) -> Version | None:
        """What it serves; None while it answers no lookups."""
        told = self.ready()
        if not told:
            return None
        version = Version.of(told["snapshot_version"])
        if version not in self.versions[-1:]:
            self.versions.append(version)
        return version

    def metric(self, name: str) -> float:
        """A figure of /metrics."""
        text = self._ask("GET", "/metrics")[2].decode()
        return float(re.findall(rf"^{name}{{.*?}} (\S+)$", text, re.MULTILINE)[0])

    def rows(self, ids: Ids) -> tuple[Version, Tables] | None:
        """What it answers for all ids of all tables, by one version; None if that has changed."""
        parts: dict[str, list[Rows]] = {name: [] for name in ids}
        versions = set[Version]()
        for start in range(0, max(len(one) for one in ids.values()), AT_ONCE // len(ids)):
            asked = {name: one[start : start + AT_ONCE // len(ids)] for name, one in ids.items()}
            version, found = self._rows(asked)
            versions.add(version)
            for name in ids:
                parts[name].append(found[name])
        tables = {name: joined(rows) for name, rows in parts.items()}
        return (versions.pop(), tables) if len(versions) == 1 else None

    def _rows(self, ids: Ids) -> tuple[Version, Tables]:
        lookups = [
            {"table": name, "ids": asked.tolist(), "missing": "zeros"}
            for name, asked in ids.items()
            if len(asked)
        ]
        status, headers, body = self._ask("POST", "/v1/lookup", {"lookups": lookups})
        assert status == 200, body
        return Version.of(headers["X-Snapshot-Version"]), parse(ids, headers, body)

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json", "Accept": "application/octet-stream"}
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers if body else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from None
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def parse(ids: Ids, headers: Any, body: bytes) -> Tables:
    """Reads an answer: the rows of the ids that were found, by table."""
    flags = np.frombuffer(base64.b64decode(headers["X-Found"]), np.uint8)
    found, values, tables = np.unpackbits(flags, bitorder="little"), memoryview(body), {}
    shapes = iter(headers["X-Shape"].split(";"))
    for name, asked in ids.items():
        if not len(asked):
            tables[name] = Rows(asked, np.zeros((0, 0), np.uint8), 0)
            continue
        count, dim = map(int, next(shapes).split(","))
        rows = np.frombuffer(values[: 4 * count * dim], np.uint8).reshape(count, 4 * dim)
        here = found[:count].astype(bool)
        tables[name] = Rows(asked[here], rows[here], 4 * dim)
        found, values = found[count:], values[4 * count * dim :]
    return tables


def joined(parts: list[Rows]) -> Rows:
    """Puts the rows of ascending ids behind each other."""
    some = [part for part in parts if part.weights] or parts[:1]
    ids, rows = (np.concatenate([part[k] for part in some]) for k in (0, 1))
    return Rows(ids, rows, some[0].weights)
