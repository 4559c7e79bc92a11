"""What a fault has cost."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from recsys_embed import CollisionlessTable


@dataclass
class Tally:
    """Counts of one fault in one place; `lost` and `doubled` are zero where all is well.

    Attributes:
        fault, place: which, and in which kind of log.
        times: how often it was done.
        checks: how often everything that was served was compared.
        lost: rows that differ from what they must be, and events that were not learned.
        doubled: events that were learned more than once.
        recovery_s: from each fault, or from its end, until a newer entry was served.
        why: what was found, if anything.
    """

    fault: str
    place: str
    times: int = 0
    checks: int = 0
    lost: int = 0
    doubled: int = 0
    recovery_s: list[float] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost or doubled, and something was compared."""
        return self.lost == self.doubled == 0 < self.checks

    def lose(self, count: int, what: str) -> None:
        """Notes what is missing or differs."""
        self.lost += count
        if count:
            self.why.append(f"{count} {what}")

    def weigh(self, expected: int, found: int, what: str) -> None:
        """Notes events that were learned too seldom or too often."""
        self.lose(max(0, expected - found), f"{what} not learned")
        self.doubled += max(0, found - expected)
        if found > expected:
            self.why.append(f"{found - expected} {what} learned twice")

    def joined(self, other: "Tally") -> "Tally":
        """Adds the counts of another of the same fault."""
        times, checks = self.times + other.times, self.checks + other.checks
        lost, doubled = self.lost + other.lost, self.doubled + other.doubled
        recovery_s, why = self.recovery_s + other.recovery_s, self.why + other.why
        return Tally(self.fault, self.place, times, checks, lost, doubled, recovery_s, why)

    def values(self) -> dict[str, Any]:
        """Gives plain values by name."""
        recovery = dict[str, float]()
        if self.recovery_s:
            recovery = {"median": median(self.recovery_s), "worst": max(self.recovery_s)}
            recovery["measured"] = len(self.recovery_s)
        return {
            "fault": self.fault,
            "place": self.place,
            "times": self.times,
            "checks": self.checks,
            "updates_lost": self.lost,
            "updates_doubled": self.doubled,
            "recovery_s": recovery,
            "why": self.why,
        }


def counts_of(table: CollisionlessTable) -> Counter[int]:
    """How often each id was learned, as its row tells."""
    blocks = list(table.rows())
    ids = np.concatenate([block.ids for block in blocks] or [np.zeros(0, np.int64)])
    count = np.concatenate([block.count for block in blocks] or [np.zeros(0, np.uint32)])
    return Counter(dict(zip(ids.tolist(), count.tolist(), strict=True)))
