"""What every transport of a delta log promises: one writer, one chain of entries, many readers.

A *log* is a chain of entries of one *lineage*: entry n follows n - 1. Its bytes are the caller's.
A *writer* holds the log by a *token*, a number that grows with each writer; what an older one still
tries to write is refused. A *base* is a snapshot that holds everything up to some entry: only what
it covers may be trimmed. A *replica* is a reader with a name, which acknowledges entries.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from recsys_embed.delta_log.frames import Frame
from recsys_embed.delta_log.reading import Entry, Stored, follow
from recsys_embed.delta_log.state import EMPTY, Ack, Base, Head, Lag
from recsys_embed.delta_log.writer import Writer


class DeltaLog(ABC):
    """Entries in order, for any number of readers and one writer, in this process or others.

    Concurrency: any method from any thread or process; an iterator belongs to one thread.
    """

    poll_s: ClassVar[float] = 0.02

    @abstractmethod
    def head(self) -> Head:
        """Gives the end of the log and what is known of its writer and its base.

        Raises:
            LogNotFoundError: if no writer has begun it, or it was lost since.
            LogUnavailableError: if it cannot be reached.
        """

    @abstractmethod
    def open_writer(
        self,
        lineage: str,
        *,
        base: Base = EMPTY,
        number: int | None = None,
        wait_s: float = 0.0,
        take_over: bool = False,
    ) -> Writer:
        """Takes the log for writing; every older writer is fenced off from then on.

        With the log's own lineage the chain goes on, and the trainer's state must be that at its
        head. Any other lineage begins the log anew behind its base: what was there is removed, and
        readers are told that it was another lineage's.

        Args:
            lineage: uuid of the chain; a new one for a trainer that does not start from the head.
            base: the snapshot that the trainer starts from; none of it for empty tables.
            number: the entry that the trainer's state is at, where it has made the entries behind
                the base its own; the base's if None.
            wait_s: how long to wait for another writer to let go.
            take_over: do not ask for the other writer's leave: it is fenced.

        Raises:
            WriterHeldError: if another writer still holds the log.
            ForeignLogError: if the log is of this lineage and its head is not `number`.
            InputError: if the log is of another lineage and `number` is not that of the base.
            LogUnavailableError: if it cannot be reached or written.
        """

    @abstractmethod
    def acknowledge(self, replica: str, number: int, *, lineage: str) -> None:
        """Records that a replica has applied everything up to an entry.

        Raises:
            InputError: for a name of anything but 1 to 64 letters, digits, `_`, `.` and `-`.
            LogNotFoundError: if the directory of the log is gone.
            LogUnavailableError: if it cannot be recorded.
        """

    @abstractmethod
    def replicas(self) -> dict[str, Ack]:
        """Gives what each replica has acknowledged last, by name."""

    @abstractmethod
    def forget(self, replica: str) -> None:
        """Removes a replica that will not come back."""

    @abstractmethod
    def frames(self, after: int) -> Iterator[Frame]:
        """Gives the frames of the entries beyond one, in order, without reading their data."""

    @abstractmethod
    def stored(self, after: int) -> Iterator[Stored]:
        """Gives the entries beyond one as they are stored, in order, unverified; see `read`."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of connections; writers opened from this log must be closed before."""

    def read(self, after: int, *, lineage: str, wait_s: float = 0.0) -> Iterator[Entry]:
        """Gives the entries beyond `after` in order, each verified, until none comes for `wait_s`.

        Nothing is given after an error. What was given is whole, and follows what came before it.

        Raises:
            TrimmedError: if the next entry is gone; names the snapshot that covers it.
            ForeignLogError: if the log, or an entry in it, is of another lineage.
            GapError: if an entry is missing, or the log ends before `after`.
            DuplicateEntryError: if an entry came before.
            DamagedEntryError: if an entry is truncated or its bytes have changed.
            LogNotFoundError: if there is no log.
            LogUnavailableError: if it cannot be reached; the same call may be made again.
        """
        return follow(self, after, lineage, wait_s)

    def lags(self) -> dict[str, Lag]:
        """Tells how far behind each replica is, by name; never less than nothing."""
        head, acks = self.head(), self.replicas()
        return {name: self._lag(head, ack) for name, ack in sorted(acks.items())}

    def _lag(self, head: Head, ack: Ack) -> Lag:
        if ack.lineage != head.lineage or ack.number > head.number:
            return Lag(ack, None, None)
        waiting = next(self.frames(ack.number), None) if ack.number < head.number else None
        seconds = max(0.0, time.time() - waiting.created_s) if waiting else 0.0
        return Lag(ack, head.number - ack.number, seconds)
