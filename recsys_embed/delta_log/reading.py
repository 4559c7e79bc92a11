"""Reading a chain: every entry is held to its frame and to its place before it is given."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from recsys_embed.delta_log.frames import Frame, check_data, load_frame
from recsys_embed.delta_log.state import Head
from recsys_embed.errors import (
    DamagedEntryError,
    DuplicateEntryError,
    ForeignLogError,
    GapError,
    TrimmedError,
)


@dataclass(frozen=True)
class Entry:
    """A verified entry: its frame and its data."""

    frame: Frame
    data: bytes

    @property
    def number(self) -> int:
        """Number of the entry; it covers those in (prev, number]."""
        return self.frame.number

    @property
    def prev(self) -> int:
        """Number of the entry that it follows."""
        return self.frame.prev


@dataclass(frozen=True)
class Stored:
    """An entry as a transport found it: the number of its place, its header, its data."""

    number: int
    header: bytes
    data: bytes


class Readable(Protocol):
    """What reading asks of a log."""

    @property
    def poll_s(self) -> float: ...
    def head(self) -> Head: ...
    def stored(self, after: int) -> Iterator[Stored]: ...


def follow(log: Readable, after: int, lineage: str, wait_s: float) -> Iterator[Entry]:
    """Gives the entries beyond `after` until none has come for `wait_s`; see `DeltaLog.read`."""
    deadline = time.monotonic() + wait_s
    while True:
        head = log.head()
        check_reader(head, after, lineage, log)
        if head.number > after:
            for entry in _chained(log, after, head):
                yield entry
                after = entry.number
            deadline = time.monotonic() + wait_s
        elif (left := deadline - time.monotonic()) > 0:
            time.sleep(min(log.poll_s, left))
        else:
            return


def check_reader(head: Head, after: int, lineage: str, log: object) -> None:
    """Holds a reader's place to the log.

    Raises:
        ForeignLogError, TrimmedError, GapError: if reading cannot go on from there.
    """
    if head.lineage != lineage:
        raise ForeignLogError(
            f"{log}: expected the lineage {lineage}, found {head.lineage}: a trainer has begun it"
            f" anew behind entry {head.base.number}; start from {_named(head)}"
        )
    if after < head.trimmed:
        raise TrimmedError(
            f"{log}: the entries up to {head.trimmed} are gone, and the next to read is"
            f" {after + 1}; start from {_named(head)}, which covers entry {head.base.number}",
            head.base.snapshot,
            head.base.number,
        )
    if after > head.number:
        raise GapError(
            f"{log} ends with entry {head.number}, before entry {after} that was read from it: it"
            f" was restored from an older state; start from a snapshot"
        )


def _named(head: Head) -> str:
    return f"snapshot {head.base.snapshot}" if head.base.snapshot else "empty tables"


def _chained(log: Readable, after: int, head: Head) -> Iterator[Entry]:
    """Gives every entry in (after, head.number], or raises at the first that does not fit."""
    stored = log.stored(after)
    while after < head.number:
        try:
            entry = _next_entry(next(stored, None), after, head, log)
        except (GapError, DuplicateEntryError, DamagedEntryError, ForeignLogError):
            # The writer may have trimmed or begun anew meanwhile; that is then what to say.
            check_reader(log.head(), after, head.lineage, log)
            raise
        yield entry
        after = entry.number


def _next_entry(found: Stored | None, after: int, head: Head, log: object) -> Entry:
    if found is None:
        raise GapError(
            f"{log}: expected an entry that follows {after}, found none, though the log ends with"
            f" {head.number}"
        )
    where = f"entry {found.number} of {log}"
    frame = load_frame(found.header, where)
    _check_place(frame, found.number, after, head.lineage, where)
    check_data(frame, found.data, where)
    return Entry(frame, found.data)


def _check_place(frame: Frame, place: int, after: int, lineage: str, where: str) -> None:
    if frame.lineage != lineage:
        raise ForeignLogError(
            f"{where}: expected the lineage {lineage}, found one of {frame.lineage}"
        )
    if frame.number <= after:
        raise DuplicateEntryError(
            f"{where}: expected an entry beyond {after}, found entry {frame.number} again"
        )
    if frame.prev > after:
        raise GapError(
            f"{where}: expected an entry that follows {after}, found entry {frame.number}, which"
            f" follows {frame.prev}"
        )
    if frame.number != place:
        raise DamagedEntryError(
            f"{where}: expected entry {place} in its place, found entry {frame.number}"
        )
