"""The fault matrix: which faults, in which kinds of log, how often."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import follower_faults, log_faults, source_faults, trainer_faults
from tests.chaos.ground import Ground, Planted
from tests.chaos.tally import Tally

BOTH = ("directory", "redis")
QUICK_EVENTS = 8_000


@dataclass(frozen=True)
class Fault:
    """A row of the matrix.

    Attributes:
        run: does it so many times in a place.
        times: in each place; `quick` times in the quick matrix.
        events: of the log that is learned meanwhile, enough for all times; a stream has half.
        rows: of a log that makes so many, in place of `events`.
        places: kinds of log.
        streams: whether records come from a stream.
        needs_a_disk: of its own, that can be full.
    """

    run: Callable[[Ground, Planted, str, int], Tally]
    times: int
    quick: int = 3
    events: int = 12_000
    rows: int = 0
    places: tuple[str, ...] = BOTH
    streams: bool = False
    needs_a_disk: bool = False

    def planted(self, ground: Ground, events: int | None = None) -> Planted:
        """What is learned meanwhile; made once for all faults that have it in common."""
        if self.rows:
            return ground.plant_rows(self.rows if events is None else 10 * events)
        events = events or self.events
        return ground.plant_whole(events // 2) if self.streams else ground.plant(events)

    @property
    def name(self) -> str:
        """What the fault is called on the command line."""
        return self.run.__name__


FAULTS = (
    Fault(trainer_faults.killed, 100, events=30_000),
    Fault(follower_faults.follower_killed, 50, events=30_000),
    Fault(log_faults.redis_killed, 20, places=("redis",)),
    Fault(log_faults.redis_paused, 8, places=("redis",)),
    Fault(log_faults.redis_emptied, 10, places=("redis",)),
    Fault(source_faults.stream, 20, events=60_000, places=("redis",), streams=True),
    Fault(log_faults.disk_full, 10, events=30_000, needs_a_disk=True),
    Fault(log_faults.damaged, 8),
    Fault(log_faults.damaged_restart, 8),
    Fault(follower_faults.slow, 8),
    Fault(trainer_faults.clock_goes_back, 10),
    Fault(trainer_faults.forks, 10),
    Fault(trainer_faults.twice, 6),
    Fault(trainer_faults.fenced, 3),
    Fault(follower_faults.million, 3, rows=1_000_000),
)
