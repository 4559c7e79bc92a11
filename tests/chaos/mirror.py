"""Snapshot + deltas at any entry, put together here: what a follower of that entry must serve."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recsys_embed import CollisionlessTable
from recsys_embed.delta_log import open_log
from recsys_embed.deltas import apply, decode
from recsys_embed.errors import RecsysEmbedError
from recsys_embed.snapshot import Snapshot, open_snapshot
from tests.chaos.follower import Version
from tests.chaos.rows import Tables, rows_of


class Mirror:
    """Reads a log as any replica would, entry by entry, as far as it is asked to.

    Args:
        log: to read.
        snapshots: where its trainer's snapshots are.
    """

    def __init__(self, log: str, snapshots: Path) -> None:
        self.log, self.snapshots = open_log(log), snapshots
        self.version = Version("", 0)
        self.trained = 0  # events, as the log says of this version
        self.tables: dict[str, CollisionlessTable] = {}

    def at(self, version: Version) -> dict[str, CollisionlessTable] | None:
        """The tables at an entry; None if it is not to be had, trimmed or of another lineage."""
        with suppress(RecsysEmbedError, FileNotFoundError):
            if self.version.lineage != version.lineage or self.version.number > version.number:
                self._begin(version)
            try:
                self._advance(version.number)
            except RecsysEmbedError:
                self._begin(version)
                self._advance(version.number)
            return self.tables
        self.version = Version("", 0)
        return None

    def all_ways(self) -> Iterator[Tables]:
        """The rows at the head: of every snapshot there is, with the entries behind it."""
        head = self.log.head()
        for path in found_in(self.snapshots):
            snapshot = open_snapshot(path)
            version = version_of(snapshot)
            if version.lineage == head.lineage and version.number >= head.trimmed:
                self._take(snapshot)
                self._advance(head.number)
                yield {name: rows_of(table) for name, table in self.tables.items()}

    def close(self) -> None:
        """Closes the log."""
        self.log.close()

    def _begin(self, version: Version) -> None:
        trimmed = self.log.head().trimmed
        for path in reversed(found_in(self.snapshots)):
            with suppress(RecsysEmbedError, FileNotFoundError):  # it may be removed meanwhile
                snapshot = open_snapshot(path)
                lineage, number = version_of(snapshot)
                if lineage == version.lineage and trimmed <= number <= version.number:
                    self._take(snapshot)
                    return
        raise RecsysEmbedError(f"no snapshot leads to {version}")

    def _take(self, snapshot: Snapshot) -> None:
        self.tables = {name: table.restore() for name, table in snapshot.tables.items()}
        self.version = version_of(snapshot)
        self.trained = snapshot.extra["position"]["trained"]

    def _advance(self, number: int) -> None:
        if self.version.number == number:
            return
        for entry in self.log.read(self.version.number, lineage=self.version.lineage):
            delta = decode(entry.data)
            apply(delta, self.tables)
            self.version = Version(delta.lineage, delta.number)
            self.trained = delta.extra["trained"]
            if delta.number == number:
                return
        raise RecsysEmbedError(f"the log ends before entry {number}")


def found_in(snapshots: Path) -> list[Path]:
    """The complete snapshots of a folder, oldest first."""
    return sorted(snapshots.glob("snapshot-*"))


def version_of(snapshot: Snapshot) -> Version:
    """The entry that a snapshot is the state at."""
    entry = snapshot.extra["log"]
    return Version(entry["lineage"], entry["number"])
