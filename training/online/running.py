"""An online run from begin to end: the folder held, the log taken, the loop watched, all kept."""

import contextlib
import errno
import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recsys_embed import set_num_threads
from recsys_embed.delta_log import DeltaLog, open_log
from recsys_embed.errors import InputError, LogUnavailableError, SnapshotError
from recsys_embed.snapshot.directories import held
from training.folder import to_json
from training.interruption import Interrupted, Interruption
from training.online.beginning import begin
from training.online.chain import let_go
from training.online.config import OnlineConfig
from training.online.folder import OnlineFolder, clear
from training.online.loop import Loop, Record
from training.online.publishing import Publisher
from training.online.sources import Source
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
        refusal = f"another trainer runs in {self.output}; stop it, or name another --output"
        with held(self.output, InputError(refusal)):
            return self._run()

    def _run(self) -> Status:
        set_threads(self.config)
        features, dense = dict(self.config.features), self.config.dense
        opened = self.config.source.open(features, dense, self.config.derive)
        with contextlib.closing(opened) as source:
            if self.anew:  # the last moment: what could be refused before has not been
                clear(self.output)
            folder = OnlineFolder(self.output)
            place = self.config.publish.log or folder.log
            with contextlib.closing(open_log(place, lease_s=self.config.publish.lease_s)) as log:
                return self._learn(folder, source, log)

    def _learn(self, folder: OnlineFolder, source: Source, log: DeltaLog) -> Status:
        state = OnlineState(self.config, folder.spill)

        def seek() -> None:
            source.seek(state.position.offset)

        chain = begin(state, log, folder, ready=seek, start=self.start, anew=self.anew)
        try:
            publisher = Publisher(state, chain, folder)
            figures = Figures(folder.metrics, state.position.trained, self.watcher)
        except BaseException:
            let_go(chain)
            raise
        loop = Loop(state, source, publisher, self._watch, figures.record, self.max_events)
        return self._loop(loop, folder)

    def _loop(self, loop: Loop, folder: OnlineFolder) -> Status:
        self.watcher.begin(Status.of(loop))
        try:
            with Interruption() as interruption:
                loop.run(interruption)
                told = _finished(loop.publisher, interruption)
        except BaseException:
            loop.publisher.abandon()
            raise
        finally:
            loop.state.joiner.close()
            self.watcher.end()
        status = Status.of(loop)
        try:
            folder.summary.write_text(json.dumps(to_json(status.values()), indent=1) + "\n")
        except OSError as error:
            logger.warning("%s: everything else is written", error)
        if interruption.signal_number is not None:
            raise Interrupted(interruption.signal_number, status.steps, told)
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


def _finished(publisher: Publisher, interruption: Interruption) -> str:
    """Publishes the rest; says how the run can go on."""
    goes_on = "the same command goes on from there"
    try:
        publisher.finish()
    except (LogUnavailableError, SnapshotError) as error:
        if interruption.signal_number is None:
            raise
        publisher.abandon()
        return f"{error}; {goes_on}, and learns again what is missing in the log"
    return goes_on


class Figures:
    """The file of the prequential figures, one window a line; a restart removes what it repeats.

    Lines that a full disk does not take wait for the next; training goes on.
    """

    def __init__(self, path: Path, trained: int, watcher: Watcher) -> None:
        self._path, self._watcher = path, watcher
        self._waiting = b""
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if _trained(line) <= trained]
        if len(kept) < len(lines):
            hidden = path.with_suffix(".writing")
            hidden.write_text("".join(kept))
            hidden.rename(path)

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
    except (ValueError, KeyError, TypeError):  # a line that a crash has cut
        return float("inf")
