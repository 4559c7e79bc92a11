"""The thread that follows a log: what it has applied is served, what it refuses is named."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import time
from typing import Any

from recsys_embed.delta_log import DeltaLog, Entry, Head
from recsys_embed.errors import DeltaError, DeltaLogError, RecsysEmbedError, SnapshotError
from recsys_embed.layers import LayeredTables
from recsys_embed.snapshot import open_snapshot
from serving.following.reading import REFUSED, decoded, open_warm, waiting
from serving.following.standing import Standing
from serving.following.upkeep import Upkeep
from serving.lookup import LookupService

logger = logging.getLogger(__name__)
WAIT_S = 0.25
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


class Follower:
    """Keeps a service at the end of a log, in a thread of its own.

    Every service it gives is of one entry; those of one lineage come in the order of their entries.

    Args:
        log: what to follow.
        replica: its name there.
        serve: takes the next service to answer from.
        folder: where the trainer's snapshots are if they are not where it wrote them. If the log
            cannot be had at the start, the newest in it is served.
    """

    def __init__(
        self,
        log: DeltaLog,
        replica: str,
        serve: Callable[[LookupService], None],
        folder: Path | None = None,
    ) -> None:
        self.standing = Standing(str(log), replica)
        self._log, self._serve, self._folder = log, serve, folder
        self._tables: LayeredTables | None = None
        self._service: LookupService | None = None
        self._acknowledged = ("", -1)
        self._is_refused = False  # entries cannot be applied; only a newer snapshot helps
        self._upkeep = Upkeep(folder)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stops following; what is served stays."""
        self._stopping.set()
        self._thread.join()
        self._upkeep.stop()
        self._log.close()

    def _run(self) -> None:
        pause_s = LEAST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self._step()
                self._recover()
                pause_s = LEAST_PAUSE_S
            except Exception as error:
                self._degrade(error)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _step(self) -> None:
        """Looks at the log once: begins from its snapshot, or applies what waits, or waits."""
        head = self._log.head()
        if self._tables is None or self._is_lost(self._tables, head):
            self._resync(head)
        else:
            self._apply_waiting(self._tables, head)
            self._acknowledge()
            self._keep_up(head)
        self._acknowledge()

    def _is_lost(self, tables: LayeredTables, head: Head) -> bool:
        """Says whether only a snapshot can help: its entries are gone, or it cannot apply them."""
        if tables.lineage != head.lineage or tables.number < head.trimmed:
            return True
        return self._is_refused and head.base.number > tables.number

    def _resync(self, head: Head) -> None:
        """Begins from the log's snapshot, and serves it once it is as new as what is served."""
        is_first = self._tables is None
        self._stand(head=head.number)
        tables = open_warm(head.base, head.lineage, self._folder)
        self._upkeep.forget()
        if not is_first:
            logger.warning("%s: begins anew from %s", self._log, tables.snapshot.path)
            self._stand(resyncs=self.standing.resyncs + 1)
        self._is_refused = False
        self._catch_up(tables)

    def _catch_up(self, tables: LayeredTables) -> None:
        """Applies what follows on a snapshot, then serves it, unless what is served is newer."""
        ours, failure, count = self._tables, None, 0
        newest = ours.number if ours is not None and ours.lineage == tables.lineage else -1
        try:
            while entries := waiting(self._log, tables.number, tables.lineage, 0.0):
                for entry in entries:
                    tables = tables.after([decoded(entry)])
                    count += entry.number > newest
                while merging := tables.merging():
                    tables = merging()(tables)
        except (DeltaLogError, DeltaError) as error:
            failure = error
        if tables.number >= newest:
            self._stand(applied=self.standing.applied + count)
            self._put(tables)
        if failure is not None:
            raise failure

    def _apply_waiting(self, tables: LayeredTables, head: Head) -> None:
        self._stand(head=head.number)
        if entries := waiting(self._log, tables.number, tables.lineage, WAIT_S):
            self._stand(
                head=max(head.number, entries[-1].number), behind_since=entries[0].frame.created_s
            )
            self._apply(tables, entries)

    def _apply(self, tables: LayeredTables, entries: Sequence[Entry]) -> None:
        """Applies entries together; if that cannot be, those before the first that cannot."""
        try:
            later = tables.after([decoded(entry) for entry in entries])
        except DeltaError:
            if len(entries) == 1:
                raise
            for entry in entries:
                assert self._tables is not None  # as entries were read for them
                self._apply(self._tables, [entry])
            return
        self._stand(applied=self.standing.applied + len(entries))
        self._put(later)

    def _keep_up(self, head: Head) -> None:
        """Fetches what was done beside the following, and has the next thing done."""
        if (opened := self._upkeep.opened()) is not None:
            self._catch_up(opened)
        assert self._tables is not None  # as in the step before
        self._upkeep.count(self._tables)
        merged = self._upkeep.merged(self._tables)
        if merged is not self._tables:
            self._put(merged)
        self._upkeep.begin(merged, head)

    def _put(self, tables: LayeredTables) -> None:
        """Serves tables from now on."""
        version = f"{tables.lineage}:{tables.number}"
        ours, service = self._tables, self._service
        if ours is not None and service is not None and ours.snapshot is tables.snapshot:
            service = service.later(tables.tables, version, tables.created_s)
        else:
            service = LookupService(tables.tables, version, tables.created_s)
        self._tables, self._service = tables, service
        self._serve(service)
        self._stand(
            lineage=tables.lineage,
            number=tables.number,
            base=tables.base,
            snapshot=str(tables.snapshot.path),
            layers=tables.num_layers,
            layer_bytes=tables.layer_bytes,
        )

    def _acknowledge(self) -> None:
        assert self._tables is not None  # as a step ends with something served
        reached = self._tables.lineage, self._tables.number
        if reached != self._acknowledged:
            lineage, number = reached
            self._log.acknowledge(self.standing.replica, number, lineage=lineage)
            self._acknowledged = reached

    def _recover(self) -> None:
        if self.standing.reason is not None:
            logger.warning("%s: follows again, at entry %d", self._log, self.standing.number)
        self._stand(reason=None)
        if not self.standing.lag_entries:
            self._stand(behind_since=None)

    def _degrade(self, error: Exception) -> None:
        """Names what keeps it from going on; what is served stays."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self.standing.reason:
            is_ours = isinstance(error, (RecsysEmbedError, OSError))
            logger.warning("%s: %s", self._log, reason, exc_info=None if is_ours else error)
        self._is_refused = self._is_refused or isinstance(error, REFUSED)
        self._stand(reason=reason, behind_since=self.standing.behind_since or time())
        if self._tables is None and self._folder is not None:
            self._fall_back(self._folder)

    def _fall_back(self, folder: Path) -> None:
        """Serves the newest snapshot at hand until the log is to be had."""
        try:
            self._put(LayeredTables.of(open_snapshot(folder)))
        except SnapshotError as error:
            logger.warning("nor can %s be served: %s", folder, error)

    def _stand(self, **changed: Any) -> None:
        self.standing = replace(self.standing, **changed)
