"""The fault matrix: which faults, in which kinds of log, how often."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import trainer_faults
from tests.chaos.ground import Ground, Planted
from tests.chaos.tally import Tally

BOTH = ("directory", "redis")


@dataclass(frozen=True)
class Fault:
    """A row of the matrix.

    Attributes:
        run: does it so many times in a place.
        times: in each place; `quick` times in the quick matrix.
        events: of the log that is learned meanwhile: enough for all times.
        places: kinds of log.
    """

    run: Callable[[Ground, Planted, str, int], Tally]
    times: int
    quick: int = 3
    events: int = 12_000
    places: tuple[str, ...] = BOTH

    @property
    def name(self) -> str:
        """What the fault is called on the command line."""
        return self.run.__name__


FAULTS = (
    Fault(trainer_faults.killed, 100, events=30_000),
    Fault(trainer_faults.clock_goes_back, 10),
    Fault(trainer_faults.forks, 10),
    Fault(trainer_faults.twice, 6),
    Fault(trainer_faults.fenced, 3),
)
