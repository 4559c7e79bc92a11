"""What an online run tells while it goes: numbers of a moment, and who shows them."""

import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from training.online.loop import Loop, Record


@dataclass(frozen=True)
class Status:
    """Where an online run is.

    Args:
        records, trained, left_out, unusable, steps, time_s: as in `Position`.
        waiting: impressions that wait for outcomes.
        joined, missing, late: impressions with an outcome, without one; outcomes without one.
        spilled_bytes: what waits on disk.
        source_lag: records that wait in the source, where that is known.
        malformed: messages that were no records.
        trouble: why the source gives nothing just now, if something is wrong.
        rows, admitted, expired: of all tables, since they began.
        lineage, entry: of the log, the last entry that is durable.
        entry_rows, entry_bytes, entry_s: of that entry; seconds until it was durable.
        entries, snapshots, failures: written since the start; snapshots that failed.
        replicas: by name, entries and seconds behind before the last entry.
    """

    records: int
    trained: int
    left_out: int
    unusable: int
    steps: int
    time_s: int | None
    waiting: int
    joined: int
    missing: int
    late: int
    spilled_bytes: int
    source_lag: int | None
    malformed: int
    trouble: str | None
    rows: int
    admitted: int
    expired: int
    lineage: str
    entry: int
    entry_rows: int
    entry_bytes: int
    entry_s: float
    entries: int
    snapshots: int
    failures: int
    replicas: dict[str, tuple[int | None, float | None]]

    @staticmethod
    def of(loop: "Loop") -> "Status":
        """Looks at a loop between two steps."""
        state, publisher, joiner = loop.state, loop.publisher, loop.state.joiner
        last, stats = publisher.last, [table.stats() for table in state.tables.values()]
        position = asdict(state.position)
        del position["offset"]
        return Status(
            **position,
            waiting=joiner.waiting,
            joined=joiner.counts.joined,
            missing=joiner.counts.missing,
            late=joiner.counts.late,
            spilled_bytes=joiner.spilled_bytes,
            source_lag=loop.source.lag(),
            malformed=loop.source.malformed,
            trouble=loop.source.trouble,
            rows=sum(s.rows for s in stats),
            admitted=sum(s.admitted for s in stats),
            expired=sum(s.expired for s in stats),
            lineage=publisher.chain.lineage,
            entry=last.number if last else publisher.chain.number,
            entry_rows=last.rows if last else 0,
            entry_bytes=last.bytes if last else 0,
            entry_s=last.seconds if last else 0.0,
            entries=publisher.entries,
            snapshots=publisher.snapshots,
            failures=publisher.failures,
            replicas={
                name: (lag.entries, lag.seconds)
                for name, lag in (last.replicas if last else {}).items()
            },
        )

    def values(self) -> dict[str, Any]:
        """Gives plain values by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Watcher(Protocol):
    """Follows an online run.

    Attributes:
        due_s: when it wants to hear again, by time.monotonic().
    """

    due_s: float

    def begin(self, status: Status) -> None:
        """Hears where the run begins."""
        ...

    def hear(self, status: Status) -> None:
        """Hears where it is."""
        ...

    def figures(self, record: "Record") -> None:
        """Hears the prequential figures of a window."""
        ...

    def end(self) -> None:
        """Hears that the run is over, whatever the reason."""
        ...


class Quiet:
    """Says nothing."""

    due_s = float("inf")

    def begin(self, status: Status) -> None: ...
    def hear(self, status: Status) -> None: ...
    def figures(self, record: "Record") -> None: ...
    def end(self) -> None: ...


class Rates:
    """Events a second between one hearing and the next."""

    def __init__(self, status: Status) -> None:
        self._then, self._at_s = status.trained, time.monotonic()

    def at(self, status: Status) -> float:
        """Gives the rate since the last call."""
        now = time.monotonic()
        rate = (status.trained - self._then) / max(now - self._at_s, 1e-9)
        self._then, self._at_s = status.trained, now
        return rate
