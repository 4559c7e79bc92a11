"""A `recsys-serve` of one's own: started on a free port, asked over HTTP, stopped at the end."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import RecsysEmbedError

RAW = "application/octet-stream"
STOP_S = 20.0


class Throughput(NamedTuple):
    """What one client on one connection got out of the server."""

    requests_per_s: float
    vectors_per_s: float


class Served:
    """Serves while entered, in a process of its own: training never imports serving.

    Args:
        what: flags of recsys-serve, such as "--snapshot" and its path.

    Raises:
        RecsysEmbedError: on entering, if it does not come up; with what it said.
    """

    def __init__(self, *what: str | Path) -> None:
        self._what = [str(each) for each in what]
        self.host, self.port = "", 0

    def __enter__(self) -> "Served":
        command = [sys.executable, "-m", "serving.cli"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RECSYS_SERVE_")}
        self._process = subprocess.Popen(
            [*command, *self._what, "--port", "0", "--log-level", "warning"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        try:
            self.host, self.port = self._address()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.host}:{self.port}"

    def lookup(self, table: str, ids: list[int | str]) -> dict[str, Any]:
        """Asks for the vectors of ids of a table; returns the JSON answer."""
        return self.post(f"/v1/tables/{table}/lookup", {"ids": ids})

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Asks by JSON; returns the JSON answer.

        Raises:
            RecsysEmbedError: if it is refused; with what the server said.
        """
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            said = refusal.read().decode(errors="replace")
            raise RecsysEmbedError(f"POST {path}: {refusal.code}: {said}") from None

    def version(self) -> str | None:
        """Names the state that is served now; None before there is one."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=30) as answer:
                return str(json.load(answer)["snapshot_version"])
        except urllib.error.HTTPError:
            return None

    def rows(self, table: str) -> int:
        """Counts the rows of a table."""
        with urllib.request.urlopen(f"{self.url}/v1/tables/{table}", timeout=30) as answer:
            return int(json.load(answer)["rows"])

    def vectors(self, table: str, ids: NDArray[np.int64]) -> bytes:
        """Gives the vectors of ids, float32 one after another.

        Raises:
            HTTPError: if an id has no row.
        """
        request = urllib.request.Request(
            f"{self.url}/v1/tables/{table}/lookup?missing=error",
            data=ids.astype("<i8").tobytes(),
            headers={"Content-Type": RAW, "Accept": RAW},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def throughput(self, table: str, ids: list[int], batch: int, seconds: float) -> Throughput:
        """Asks for `batch` of the ids at a time, as raw bytes, for so many seconds."""
        rng = np.random.default_rng(0)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        bodies = [json.dumps({"ids": rng.choice(ids, batch).tolist()}).encode() for _ in range(64)]
        headers = {"Content-Type": "application/json", "Accept": RAW}
        began, asked = time.monotonic(), 0
        while (spent := time.monotonic() - began) < seconds:
            connection.request("POST", f"/v1/tables/{table}/lookup", bodies[asked % 64], headers)
            connection.getresponse().read()
            asked += 1
        connection.close()
        return Throughput(asked / spent, asked * batch / spent)

    def _address(self) -> tuple[str, int]:
        """Reads until the server says where it listens; a client need not try twice after that."""
        said = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said.append(line)
            if found := re.search(r" on http://(.+):(\d+)$", line.strip()):
                return found[1], int(found[2])
        raise RecsysEmbedError(f"recsys-serve did not start; it said: {''.join(said).strip()}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
