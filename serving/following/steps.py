"""What following consists of: one look at the log at a time, and what comes of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recsys_embed.delta_log import DeltaLog, Entry, Head
from recsys_embed.deltas import Delta
from recsys_embed.errors import DeltaError, DeltaLogError, ForeignLogError, TrimmedError
from recsys_embed.layers import LayeredTables
from recsys_embed.snapshot import open_snapshot
from serving.following.reading import PASSING, decoded, open_warm, waiting
from serving.following.standing import Standing
from serving.following.upkeep import Upkeep
from serving.lookup import LookupService

logger = logging.getLogger(__name__)
WAIT_S = 0.25

Heed = Callable[[LookupService, Sequence[Delta]], None]


def heed_nothing(service: LookupService, deltas: Sequence[Delta]) -> None:
    """Heeds nothing."""


class Steps:
    """Takes a service along a log; in one thread. What keeps it from going on, it raises.

    Args:
        log, replica, serve, folder, heed: as of `Follower`.
    """

    def __init__(
        self,
        log: DeltaLog,
        replica: str,
        serve: Callable[[LookupService], None],
        folder: Path | None,
        heed: Heed = heed_nothing,
    ) -> None:
        self.standing = Standing(str(log), replica)
        self._log, self._serve, self._folder, self._heed = log, serve, folder, heed
        self._tables: LayeredTables | None = None
        self._service: LookupService | None = None
        self._acknowledged = ("", -1)
        self._is_refused = False  # entries cannot be applied; only a newer snapshot helps
        self._upkeep = Upkeep(folder)

    def stop(self) -> None:
        """Lets go of the log, and waits for what is done beside."""
        self._upkeep.stop()
        self._log.close()

    def stand(self, **changed: Any) -> None:
        """Says how it stands now."""
        self.standing = replace(self.standing, **changed)

    def step(self) -> None:
        """Looks at the log once: begins from its snapshot, or applies what waits, or waits.

        Raises:
            RecsysEmbedError: naming what keeps it from going on; what is served stays.
        """
        head = self._log.head()
        if self._tables is not None and not self._is_lost(self._tables, head):
            try:
                self._go_on(self._tables, head)
                return
            except (ForeignLogError, TrimmedError):
                head = self._log.head()
                if not self._is_lost(self._tables, head):
                    raise
        self._begin(head)

    def _is_lost(self, tables: LayeredTables, head: Head) -> bool:
        """Says whether only a snapshot can help: its entries are gone, or it cannot apply them."""
        if tables.lineage != head.lineage or tables.number < head.trimmed:
            return True
        return self._is_refused and head.base.number > tables.number

    def refused(self, error: Exception) -> None:
        """Remembers an error of entries, which only a newer snapshot heals for certain."""
        self._is_refused = self._is_refused or not isinstance(error, PASSING)

    def fall_back(self) -> None:
        """Serves the newest snapshot at hand, if nothing is served and there is one.

        Raises:
            SnapshotError: if there is none that can be served.
            RecsysEmbedError: as what heeds it.
        """
        if self._tables is None and self._folder is not None:
            self._put(LayeredTables.of(open_snapshot(self._folder)))

    def _begin(self, head: Head) -> None:
        """Begins from the log's snapshot, and serves it once it is as new as what is served."""
        is_first = self._tables is None
        self.stand(head=head.number)
        tables = open_warm(head.base, head.lineage, self._folder)
        self._upkeep.forget()
        if not is_first:
            logger.warning("%s: begins anew from %s", self._log, tables.snapshot.path)
            self.stand(resyncs=self.standing.resyncs + 1)
        self._is_refused = False
        self._catch_up(tables)
        self._acknowledge()

    def _catch_up(self, tables: LayeredTables) -> None:
        """Applies what follows on a snapshot, then serves it, unless what is served is newer."""
        ours, failure, count, arrays = self._tables, None, 0, list[Delta]()
        newest = ours.number if ours is not None and ours.lineage == tables.lineage else -1
        try:
            while entries := waiting(self._log, tables.number, tables.lineage, 0.0):
                for entry in entries:
                    delta = decoded(entry)
                    tables = tables.after([delta])
                    arrays += [replace(delta, tables={})] if delta.dense else []
                    count += entry.number > newest
                while merging := tables.merging():
                    tables = merging()(tables)
        except (DeltaLogError, DeltaError) as error:
            failure = error
        if tables.number >= newest:
            self.stand(applied=self.standing.applied + count)
            self._put(tables, arrays)
        if failure is not None:
            raise failure

    def _go_on(self, tables: LayeredTables, head: Head) -> None:
        """Applies what waits, or waits."""
        self.stand(head=head.number)
        if entries := waiting(self._log, tables.number, tables.lineage, WAIT_S):
            last, since = entries[-1].number, entries[0].frame.created_s
            self.stand(head=max(head.number, last), behind_since=since)
            self._apply(tables, entries)
        self._is_refused = False
        self._keep_up(head)
        self._acknowledge()

    def _apply(self, tables: LayeredTables, entries: Sequence[Entry]) -> None:
        """Applies entries together; if that cannot be, those before the first that cannot."""
        try:
            deltas = [decoded(entry) for entry in entries]
            later = tables.after(deltas)
        except DeltaError:
            if len(entries) == 1:
                raise
            for entry in entries:
                assert self._tables is not None  # as entries were read for them
                self._apply(self._tables, [entry])
            return
        self.stand(applied=self.standing.applied + len(entries))
        self._put(later, deltas)

    def _keep_up(self, head: Head) -> None:
        """Fetches what was done beside the following, and has the next thing done."""
        if (opened := self._upkeep.opened()) is not None:
            try:
                self._catch_up(opened)
            except (DeltaLogError, DeltaError) as error:  # if it is in the way, it is met again
                logger.warning("%s: passes over %s: %s", self._log, opened.snapshot.path, error)
        assert self._tables is not None  # as in the step before
        self._upkeep.count(self._tables)
        merged = self._upkeep.merged(self._tables)
        if merged is not self._tables:
            self._put(merged)
        self._upkeep.begin(merged, head)

    def _put(self, tables: LayeredTables, deltas: Sequence[Delta] = ()) -> None:
        """Serves tables from now on, once those deltas are heeded that lead to them."""
        version = f"{tables.lineage}:{tables.number}"
        ours, service = self._tables, self._service
        if ours is not None and service is not None and ours.snapshot is tables.snapshot:
            service = service.later(tables.tables, version, tables.created_s)
        else:
            snapshot = tables.snapshot
            service = LookupService(tables.tables, version, tables.created_s, snapshot=snapshot)
        self._heed(service, deltas)
        self._tables, self._service = tables, service
        self._serve(service)
        self.stand(
            lineage=tables.lineage,
            number=tables.number,
            base=tables.base,
            snapshot=str(tables.snapshot.path),
            layers=tables.num_layers,
            layer_bytes=tables.layer_bytes,
        )

    def _acknowledge(self) -> None:
        assert self._tables is not None  # as it ends a step that serves something
        reached = self._tables.lineage, self._tables.number
        if reached != self._acknowledged:
            lineage, number = reached
            self._log.acknowledge(self.standing.replica, number, lineage=lineage)
            self._acknowledged = reached
