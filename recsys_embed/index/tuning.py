"""What was measured of an engine, and what follows from it for searches."""

import math
from dataclasses import dataclass
from typing import NamedTuple


class Costs(NamedTuple):
    """Measured times in seconds.

    Attributes:
        take: to take a vector out of its slot.
        score: to score a vector that was taken.
        scan: to score a vector where it is, among others.
        half: that the engine takes for one query, with a filter that admits half of the items.
        tenth: the same with a filter that admits a tenth.
    """

    take: float
    score: float
    scan: float
    half: float
    tenth: float

    def of_gathering(self, slots: int, queries: int) -> float:
        """Gives the time to take that many vectors and score them for that many queries."""
        return slots * (self.take + queries * self.score)

    def of_scanning(self, slots: int, queries: int) -> float:
        """Gives the time to score that many vectors where they are."""
        return slots * queries * self.scan

    def of_searching(self, share: float, queries: int) -> float:
        """Gives the time of the engine with a filter that admits a share of the items."""
        if not self.half or not self.tenth:
            return 0.0
        slope = max(0.0, math.log(self.tenth / self.half) / math.log(5))
        return queries * self.half * math.pow(0.5 / max(share, 1e-9), slope)


@dataclass(frozen=True)
class Tuning:
    """What an engine was found to do.

    Attributes:
        recall: share of the true best that it finds, with its own parameters.
        on: queries, or items where there were no queries to measure with.
        rerank: candidates a result that are scored again on the full vectors.
        costs: of searching and of its alternatives.
        trained: items that the engine was built from.
        steps: lists or candidates that sufficed then.
        items_recall: the recall then of items that take the part of queries.
    """

    recall: float
    on: str
    rerank: float
    costs: Costs
    trained: int
    steps: int = 0
    items_recall: float = 1.0
