"""What was measured of an engine, and what follows from it for searches."""

from dataclasses import dataclass
from typing import NamedTuple


class Costs(NamedTuple):
    """Measured times in seconds; the engine's are those of one query among chosen slots.

    Attributes:
        take: to take a vector out of its slot.
        score: to score a vector that was taken.
        scan: to score a vector where it is, among others.
        search: that a search by the engine takes, whatever it looks into.
        step: that each list or candidate adds to it.
    """

    take: float
    score: float
    scan: float
    search: float
    step: float

    def of_gathering(self, slots: int, queries: int) -> float:
        """Gives the time to take that many vectors and score them for that many queries."""
        return slots * (self.take + queries * self.score)

    def of_scanning(self, slots: int, queries: int) -> float:
        """Gives the time to score that many vectors where they are."""
        return slots * queries * self.scan

    def of_searching(self, steps: int, queries: int) -> float:
        """Gives the time for that many queries that look into that many lists or candidates."""
        return queries * (self.search + steps * self.step)


@dataclass(frozen=True)
class Tuning:
    """What an engine was found to do.

    Attributes:
        recall: share of the true best that it finds, with its own parameters.
        on: queries, or items where there were no queries to measure with.
        rerank: candidates a result that are scored again on the full vectors.
        costs: of searching and of its alternatives.
        trained: items that the engine was built from.
    """

    recall: float
    on: str
    rerank: float
    costs: Costs
    trained: int
