"""Changes on their way to the log, beside training: taken at one moment, written by a thread."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from recsys_embed.changes import Changes
from recsys_embed.cut import Cut
from recsys_embed.delta_log import Base, DeltaLog, Lag
from recsys_embed.deltas import Delta, encode
from recsys_embed.errors import (
    DuplicateEntryError,
    ForeignLogError,
    GapError,
    LogNotFoundError,
    RecsysEmbedError,
    SnapshotError,
)
from training.online.chain import Chain, let_go, save, save_base, take, until_reached
from training.online.folder import OnlineFolder
from training.online.heads import forget_heads, save_head
from training.online.state import Captured, OnlineState

logger = logging.getLogger(__name__)
LOST = (LogNotFoundError, GapError, DuplicateEntryError, ForeignLogError)
STOP_S = 20.0  # less than what supervisors usually give
NICE = 10  # of threads that write snapshots


@dataclass(frozen=True)
class Published:
    """What became of one entry."""

    number: int
    seqs: Mapping[str, int]
    rows: int
    tombstones: int
    bytes: int
    seconds: float  # from the moment of its changes until it was durable
    replicas: Mapping[str, Lag]  # who was how far behind just before


class Publisher:
    """Hands changes and snapshots to threads between two steps; training never waits for them.

    One entry is on its way at a time. While it is, changes gather where they always are, in the
    rows' own numbers: an entry that is late holds more, and nothing overflows. A log that was lost
    is begun anew behind a snapshot.

    Concurrency: one thread calls; its own two threads read tables by cuts, as `Cut` allows.
    """

    def __init__(self, state: OnlineState, chain: Chain, folder: OnlineFolder) -> None:
        self._state, self._config, self._folder = state, state.config, folder
        self.chain = chain
        self.last: Published | None = None
        self.entries, self.snapshots, self.failures = 0, 0, 0
        self.durable_offset: Any = None  # the source may forget what is before it
        self._entry: Future[Published] | None = None
        self._snapshot: Future[tuple[Base, Any]] | None = None
        self._lineage: Future[Chain] | None = None
        self._is_lost = False
        self._unsaved: SnapshotError | OSError | None = None  # why the last snapshot failed
        self._capture_s = 0.0
        self._is_stopping = Event()
        self._threads = ThreadPoolExecutor(1, "publish")
        self._saving = ThreadPoolExecutor(1, "save")  # its thread gives way for good
        self._cursors = {name: table.seq for name, table in state.tables.items()}
        for table in state.tables.values():
            table.track_changes()
        self._rows_then, self._offset_then = self._trained(), state.position.offset
        self._told_s = self._dense_s = self._snapshot_s = time.monotonic()

    def tend(self) -> None:
        """Takes note of what was written, and hands over what is due.

        Raises:
            FencedError: if another trainer has taken the log; this one must stop.
        """
        self._collect()
        if self._entry or self._lineage:
            return
        now, publish = time.monotonic(), self._config.publish
        snapshot_due = now >= self._snapshot_s + self._config.snapshot.every_s
        enough = publish.every_rows and self._trained() - self._rows_then >= publish.every_rows
        if now >= self._told_s + self._pause_s() or enough:
            self._told_s = now
            if self._is_lost:
                if self._snapshot is None:  # it still needs the old log's writer
                    self._begin_anew()
            elif self._has_changed():
                self._hand_over(snapshot_due and self._snapshot is None)

    @property
    def is_saving(self) -> bool:
        """Whether a snapshot is being written."""
        return self._snapshot is not None and not self._snapshot.done()

    def due_s(self) -> float:
        """Gives the seconds until the next entry is due."""
        if self._entry or self._lineage:
            return float("inf")
        return max(0.0, self._told_s + self._pause_s() - time.monotonic())

    def _pause_s(self) -> float:
        """Copying what waits for outcomes must not take more than a tenth of training's time."""
        return max(self._config.publish.every_s, 10 * self._capture_s)

    def finish(self) -> None:
        """Publishes all there is, with the dense layers and a snapshot, and waits until it is done.

        A run that learned nothing more than its last snapshot has writes nothing.

        Raises:
            LogUnavailableError: if the log cannot be reached; what is missing in it is trained
                again after a restart.
            SnapshotError: if the snapshot cannot be written; the same holds.
        """
        deadline = time.monotonic() + STOP_S
        self._wait(deadline)
        if not self._is_lost and not self._is_all_told():
            self._dense_s = float("-inf")
            self._hand_over(True)
            self._wait(deadline)
        if self._is_lost:
            self._begin_anew()
            self._wait(deadline)
        if self._unsaved is not None:
            raise self._unsaved
        self._saving.shutdown()
        self._threads.shutdown()
        let_go(self.chain)

    def abandon(self) -> None:
        """Stops without another word to the log."""
        self._is_stopping.set()
        self._saving.shutdown()
        self._threads.shutdown()
        let_go(self.chain)

    def _wait(self, deadline: float) -> None:
        """Lets everything under way come to its end, and begins a lost log anew."""
        while True:
            pending = [f for f in (self._entry, self._lineage, self._snapshot) if f]
            if not pending:
                return
            if time.monotonic() > deadline:
                self._is_stopping.set()
            with contextlib.suppress(TimeoutError, *LOST):
                pending[0].exception(timeout=0.1)
            self._collect()

    def _is_all_told(self) -> bool:
        at_its_snapshot = self.chain.base.number == self.chain.number
        return at_its_snapshot and not self._has_changed() and not self._has_read()

    def _has_read(self) -> bool:
        return bool(self._state.position.offset != self._offset_then)

    def _trained(self) -> int:
        return self._state.position.trained * len(self._state.model.features)

    def _has_changed(self) -> bool:
        return any(t.seq > self._cursors[name] for name, t in self._state.tables.items())

    def _hand_over(self, with_snapshot: bool) -> None:
        now, publish, chain = time.monotonic(), self._config.publish, self.chain
        tables = self._state.tables
        changes = {
            name: table.changes(self._cursors[name], admission=publish.state)
            for name, table in tables.items()
        }
        self._cursors = {name: one.seq for name, one in changes.items()}
        captured = self._state.capture() if publish.state or with_snapshot else None
        self._capture_s = time.monotonic() - now
        dense = {}
        if now >= self._dense_s + publish.dense_every_s:
            self._dense_s, dense = now, self._state.serving_dense()
        chain.number += 1
        self._rows_then, self._offset_then = self._trained(), self._state.position.offset
        position = {"trained": self._state.position.trained, "time_s": self._state.position.time_s}
        entry = _Entry(chain, chain.number, changes, captured, dense, position, now)
        self._entry = self._threads.submit(self._publish, entry)
        if with_snapshot:
            assert captured is not None
            self._snapshot_s = now
            cuts = {name: table.cut() for name, table in tables.items()}
            self._snapshot = self._saving.submit(
                self._save, self._entry, chain, chain.number, cuts, captured
            )

    def _publish(self, entry: "_Entry") -> Published:
        publish, chain, number = self._config.publish, entry.chain, entry.number
        with contextlib.ExitStack() as stack:
            for one in entry.changes.values():
                stack.enter_context(one)
            delta = Delta.of(
                entry.changes,
                lineage=chain.lineage,
                number=number,
                token=chain.writer.token,
                codec=publish.codec,
                state=publish.state,
                dense=entry.dense,
                extra=entry.position,
            )
        data = encode(delta)
        heads, captured = self._folder.heads, entry.captured
        if publish.state and captured is not None:
            until_reached(
                lambda: save_head(heads, chain.lineage, number, captured), self._is_stopping
            )
        behind = lags(chain.log)  # of the entries before
        until_reached(lambda: chain.writer.append(number, number - 1, data), self._is_stopping)
        if publish.state:
            forget_heads(heads, chain.lineage, number)
        return Published(
            number=number,
            seqs={name: table.seq for name, table in delta.tables.items()},
            rows=sum(len(table.ids) for table in delta.tables.values()),
            tombstones=sum(len(table.tombstones) for table in delta.tables.values()),
            bytes=len(data),
            seconds=time.monotonic() - entry.moment_s,
            replicas=behind,
        )

    def _save(
        self,
        entry: Future[Published],
        chain: Chain,
        number: int,
        cuts: Mapping[str, Cut],
        captured: Captured,
    ) -> tuple[Base, Any]:
        give_way()
        with contextlib.ExitStack() as stack:
            for cut in cuts.values():
                stack.enter_context(cut)
            log = {"lineage": chain.lineage, "number": number}
            path = save(self._folder.snapshots, cuts, captured, self._config, log)
        entry.result()  # a base lies behind entries that the log has
        base = Base(number, str(path))
        # followers that are one snapshot late still find their entries
        until_reached(lambda: chain.writer.trim(chain.base.number, base), self._is_stopping)
        return base, captured.position["offset"]

    def _collect(self) -> None:
        if self._snapshot and self._snapshot.done():
            future, self._snapshot = self._snapshot, None
            self._end_snapshot(future)
        if self._entry and self._entry.done():
            future_entry, self._entry = self._entry, None
            self._end_entry(future_entry)
        if self._lineage and self._lineage.done():
            future_chain, self._lineage = self._lineage, None
            self._end_lineage(future_chain)

    def _end_entry(self, future: Future[Published]) -> None:
        try:
            self.last = future.result()
        except LOST as error:
            logger.warning("%s; the log begins anew behind a snapshot", error)
            self._is_lost = True
            return
        self.entries += 1
        for name, seq in self.last.seqs.items():
            self._state.tables[name].forget_changes(seq)

    def _end_snapshot(self, future: Future[tuple[Base, Any]]) -> None:
        try:
            self.chain.base, self.durable_offset = future.result()
            self._unsaved = None
            self.snapshots += 1
        except LOST:
            pass  # the entry's own end says so
        except (SnapshotError, OSError) as error:
            self.failures += 1
            self._unsaved = error
            logger.warning("%s; the next attempt is in %g s", error, self._config.snapshot.every_s)

    def _begin_anew(self) -> None:
        self._is_lost = False
        old, captured = self.chain, self._state.capture()
        cuts = {name: table.cut() for name, table in self._state.tables.items()}
        self._cursors = {name: cut.seq for name, cut in cuts.items()}
        self._lineage = self._threads.submit(self._begin_lineage, old, cuts, captured)

    def _begin_lineage(self, old: Chain, cuts: Mapping[str, Cut], captured: Captured) -> Chain:
        let_go(old)
        with contextlib.ExitStack() as stack:
            for cut in cuts.values():
                stack.enter_context(cut)
            lineage, base = save_base(
                self._folder.snapshots,
                cuts,
                captured,
                self._config,
                number=old.number,
                left=old.lineage,
            )
        return take(old.log, lineage, base, self._config, self._is_stopping)

    def _end_lineage(self, future: Future[Chain]) -> None:
        try:
            self.chain = future.result()
            self.snapshots += 1
            self._unsaved = None
        except SnapshotError as error:
            self.failures += 1
            self._unsaved = error
            logger.warning("%s; the log is begun with the next entry", error)
            self._is_lost = True


def lags(log: DeltaLog) -> dict[str, Lag]:
    """Says who is how far behind; of a log that does not say it, nobody."""
    try:
        return log.lags()
    except RecsysEmbedError:
        return {}


def give_way() -> None:
    """Lets every other thread go before this one and those it starts, from now on."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


@dataclass(frozen=True)
class _Entry:
    chain: Chain
    number: int
    changes: Mapping[str, Changes]
    captured: Captured | None
    dense: Mapping[str, Any]
    position: Mapping[str, Any]
    moment_s: float
