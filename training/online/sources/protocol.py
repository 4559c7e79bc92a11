"""What every source of records promises."""

from typing import Protocol

from training.online.records import Chunk, Offset


class Source(Protocol):
    """Gives records in order, from wherever it is told to go on.

    After a `seek` every record behind its offset comes exactly once and in order, whatever was read
    or forgotten before and however long the server behind the source was away.

    Concurrency: one thread.
    """

    @property
    def is_done(self) -> bool:
        """Whether nothing will ever come: a replay at its end. Streams are never done."""
        ...

    @property
    def malformed(self) -> int:
        """How many messages were passed over since the source was opened; they were no records."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why nothing comes just now: a server that is away. None if all is well."""
        ...

    def read(self, max_records: int, wait_s: float) -> Chunk | None:
        """Gives what comes next, at most `max_records`; None if nothing came within `wait_s`.

        Raises:
            SourceLostError: if records that belong here are gone.
        """
        ...

    def seek(self, offset: Offset | None) -> None:
        """Goes on right behind an offset that a chunk gave; None: from the beginning.

        Raises:
            SourceLostError: if records that belong there are gone.
        """
        ...

    def forget(self, offset: Offset) -> None:
        """Lets go of everything up to an offset: what came of it is durable."""
        ...

    def lag(self) -> int | None:
        """How many records wait to be read, where that can be known."""
        ...

    def close(self) -> None:
        """Lets go of connections and files."""
        ...
