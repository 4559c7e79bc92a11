"""What was measured of an engine, and what follows from it for searches."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from recsys_embed.index.config import Parameters


class Costs(NamedTuple):
    """Measured times in seconds, one query at a time.

    Attributes:
        take: to take a vector out of its slot.
        score: to score a vector that was taken, for one query.
        search: that a search by the engine takes, whatever it looks into.
        step: that each list or candidate adds to it.
    """

    take: float
    score: float
    search: float
    step: float

    def of_gathering(self, slots: int, queries: int) -> float:
        """Gives the time to score that many slots for that many queries."""
        return slots * (self.take + queries * self.score)

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
        widening: with a filter that admits a share s, lists or candidates grow by s ** -widening.
        costs: of searching and of its alternative.
        trained: items that the engine was built from.
    """

    recall: float
    on: str
    rerank: float
    widening: float
    costs: Costs
    trained: int

    def steps(self, own: Parameters, asked: Parameters, share: float) -> int:
        """Gives the lists or candidates for a search whose filter admits a share of all items."""
        given = asked.nprobe or asked.ef
        if given is not None:
            return given
        return math.ceil((own.nprobe or own.ef or 0) * math.pow(share, -self.widening))

    def scaled(self, own: Parameters, asked: Parameters, share: float) -> Parameters:
        """Gives the parameters for a search whose filter admits a share of all items."""
        steps = self.steps(own, asked, share)
        if own.nprobe is not None:
            return replace(asked, nprobe=steps)
        return asked if own.ef is None else replace(asked, ef=steps)
