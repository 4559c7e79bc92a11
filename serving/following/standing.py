"""Where a follower stands, for whoever asks; a new one each time it has looked."""

from dataclasses import dataclass
from time import time


@dataclass(frozen=True)
class Standing:
    """What a follower knows of itself and its log.

    Attributes:
        log, replica: what it follows, and its name there.
        lineage, number: of the entry that it serves; "" and 0 before there is one.
        base: the entry of the snapshot beneath, at `snapshot`.
        head: the last entry of the log that it has seen.
        behind_since: since when something may have been waiting for it, in seconds since the epoch;
            None while nothing does.
        reason: what keeps it from going on; None while nothing does.
        layers: layers over the snapshot in the table that has most; they take `layer_bytes`.
        applied: entries that it has applied.
        resyncs: how often it has begun anew from a snapshot, the first time left out.
    """

    log: str
    replica: str
    lineage: str = ""
    number: int = 0
    base: int = 0
    snapshot: str = ""
    head: int = 0
    behind_since: float | None = None
    reason: str | None = None
    layers: int = 0
    layer_bytes: int = 0
    applied: int = 0
    resyncs: int = 0

    @property
    def lag_entries(self) -> int:
        """Entries that it has yet to apply, as far as it knows."""
        return max(0, self.head - self.number)

    @property
    def lag_seconds(self) -> float:
        """How long something may have been waiting for it."""
        return 0.0 if self.behind_since is None else max(0.0, time() - self.behind_since)
