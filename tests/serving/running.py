"""A real `recsys-serve` process on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "serving.cli"]


class Server:
    """The process, its address, and everything it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self.url = self.wait_for(r"on (http://\S+)").group(1)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Reads on until the pattern has been said this often; the process ending is a failure."""
        assert self.process.stdout is not None
        while len(found := list(re.finditer(pattern, self.said))) < times:
            line = self.process.stdout.readline()
            assert line, f"the server ended before saying {pattern!r}:\n{self.said}"
            self.said += line
        return found[times - 1]

    def stop(self) -> int:
        """Asks it to stop and waits for its exit status."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate()
        self.said += rest
        return self.process.returncode


def start(*flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(snapshot: Path, *flags: str) -> Iterator[Server]:
    """A server that is stopped at the end, however the test goes."""
    with start("--snapshot", str(snapshot), "--port", "0", *flags) as process:
        try:
            yield Server(process)
        finally:
            if process.poll() is None:
                process.terminate()
