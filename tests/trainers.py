"""Trainers as processes of their own, started in milliseconds and killed at any moment.

Importing torch and torchrec takes seconds. One process does it once (`python -m tests.trainers`)
and forks a child for each trainer; it must never run a parallel region itself, which a fork would
not survive. A child is a real `recsys-train` in all else: own memory, own files, own signals.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Trainers:
    """Starts trainers while entered; those still alive are killed at the end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.trainers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        self._hear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, *arguments: str, says: Path, before: str = "") -> "Trainer":
        """Starts `recsys-train` with these arguments.

        Args:
            says: a file for what it prints.
            before: a function "module:name" that the process calls first.
        """
        asked = {"arguments": list(arguments), "says": str(says), "before": before}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Trainer(self._hear(), says)

    def _hear(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


class Trainer:
    """One process; what it says is in a file, and its exit status beside it once it has ended."""

    def __init__(self, pid: int, says: Path) -> None:
        self.pid, self.says = pid, says

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Ends it at once."""
        self.signal(signal.SIGKILL)
        self.wait(20)

    def signal(self, number: int) -> None:
        """Sends a signal, if it is still there."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def wait(self, seconds: float) -> int | None:
        """Waits for the end; gives the exit status, None if it was killed."""
        deadline = time.monotonic() + seconds
        while self.is_alive:
            assert time.monotonic() < deadline, f"still running; it said: {self.said()}"
            time.sleep(0.005)
        status = Path(f"{self.says}.status")
        return int(status.read_text()) if status.exists() else None

    def said(self) -> str:
        """What it has printed so far."""
        return self.says.read_text() if self.says.exists() else ""


def serve() -> None:
    """Imports everything, then forks a trainer for each line that comes."""
    import training.cli
    import training.commands.online
    import training.online.dashboard
    import training.online.running

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    children = []
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(json.loads(line), training.cli)
        children.append(pid)
        print(pid, flush=True)
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _become(asked: dict[str, Any], cli: Any) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    file = os.open(asked["says"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    Path(f"{asked['says']}.status").unlink(missing_ok=True)
    status = 1
    try:
        if asked["before"]:
            module, _, name = asked["before"].partition(":")
            getattr(__import__(module, fromlist=[name]), name)()
        status = cli.main(asked["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        Path(f"{asked['says']}.status").write_text(str(status))
        os._exit(status)


if __name__ == "__main__":
    serve()
