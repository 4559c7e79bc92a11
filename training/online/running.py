"""An online run from begin to end: the folder held, the log taken, the loop watched, all kept."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recsys_embed import set_num_threads
from recsys_embed.delta_log import open_log
from recsys_embed.errors import InputError
from training.folder import to_json
from training.interruption import Interrupted, Interruption
from training.online.beginning import begin
from training.online.config import OnlineConfig
from training.online.folder import OnlineFolder, clear
from training.online.loop import Loop, Record
from training.online.publishing import Publisher
from training.online.state import OnlineState
from training.online.watching import Quiet, Status, Watcher

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Online:
    """How an online run is begun.

    Args:
        config: of the run.
        output: its folder.
        start: a snapshot to fork from.
        anew: whether what another run left in the folder or the log may be removed.
        max_events: stop behind so many events in all.
        watcher: who hears of the progress.
    """

    config: OnlineConfig
    output: Path
    start: Path | None = None
    anew: bool = False
    max_events: int | None = None
    watcher: Watcher = Quiet()

    def run(self) -> Status:
        """Learns until the source is done; gives how it stood at the end.

        Raises:
            InputError: if another trainer runs in the folder, or the log is another run's.
            Interrupted: after SIGINT or SIGTERM, once everything is published.
            FencedError: if another trainer took the log meanwhile.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        with held(self.output):
            if self.anew:
                clear(self.output)
            return self._run(OnlineFolder(self.output))

    def _run(self, folder: OnlineFolder) -> Status:
        set_threads(self.config)
        state = OnlineState(self.config, folder.spill)
        place = self.config.publish.log or folder.log
        log = open_log(place, lease_s=self.config.publish.lease_s)
        with contextlib.closing(log):
            source = self.config.source.open(state.features, state.dense, self.config.derive)
            with contextlib.closing(source):
                chain = begin(state, log, folder, start=self.start, anew=self.anew)
                source.seek(state.position.offset)
                publisher = Publisher(state, chain, folder)
                figures = Figures(folder.metrics, state.position.trained, self.watcher)
                loop = Loop(state, source, publisher, self._watch, figures.record, self.max_events)
                return self._loop(loop, folder)

    def _loop(self, loop: Loop, folder: OnlineFolder) -> Status:
        self.watcher.begin(Status.of(loop))
        try:
            with Interruption() as interruption:
                loop.run(interruption)
                loop.publisher.finish()
        except BaseException:
            loop.publisher.abandon()
            raise
        finally:
            loop.state.joiner.close()
            self.watcher.end()
        status = Status.of(loop)
        folder.summary.write_text(json.dumps(to_json(status.values()), indent=1) + "\n")
        if interruption.signal_number is not None:
            raise Interrupted(interruption.signal_number, status.steps, ONLINE_GOES_ON)
        return status

    def _watch(self, loop: Loop) -> None:
        if time.monotonic() >= self.watcher.due_s:
            self.watcher.hear(Status.of(loop))


def set_threads(config: OnlineConfig) -> None:
    """Gives the tables their threads, and the dense layers one: their sums may depend on it.

    More of torch's would spin on cores that publishing needs, too.
    """
    set_num_threads(config.train.threads or os.cpu_count() or 1)
    torch.set_num_threads(1)


ONLINE_GOES_ON = "the same command goes on from there"


class Figures:
    """The file of the prequential figures, one window a line; a restart removes what it repeats.

    Lines that a full disk does not take wait for the next; training goes on.
    """

    def __init__(self, path: Path, trained: int, watcher: Watcher) -> None:
        self._path, self._watcher = path, watcher
        self._waiting = b""
        if path.exists():
            lines = path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if _trained(line) <= trained]
            path.write_text("".join(kept))

    def record(self, record: Record) -> None:
        """Adds one window's."""
        self._waiting += json.dumps(to_json(record)).encode() + b"\n"
        try:
            _append(self._path, self._waiting)
            self._waiting = b""
        except OSError as error:
            logger.warning("%s; the figures so far wait for the next", error)
        self._watcher.figures(record)


def _append(path: Path, lines: bytes) -> None:
    """Adds lines to a file, all or none."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        if file.write(lines) < len(lines):
            file.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _trained(line: str) -> float:
    try:
        values: dict[str, Any] = json.loads(line)
        return float(values["trained"])
    except (ValueError, KeyError):  # a line that a crash has cut
        return float("inf")


@contextlib.contextmanager
def held(output: Path) -> Iterator[None]:
    """Holds a folder for one trainer; the system lets go of it when the process dies.

    Raises:
        InputError: if another trainer holds it.
    """
    fd = os.open(output, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another trainer runs in {output}; stop it, or name another --output"
            ) from None
        yield
    finally:
        os.close(fd)
