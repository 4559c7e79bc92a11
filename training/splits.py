"""Train, validation and test: by time, at random, or as the log says."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from training.events import Events
from training.features import column_of


class Parts(NamedTuple):
    """Positions into the events, int64, ascending; every event is in one part at most."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class Split(Protocol):
    """Divides events into three parts."""

    def parts(self, events: Events) -> Parts:
        """Returns the positions of each part."""
        ...


@dataclass(frozen=True)
class TimeSplit:
    """Trains on the past, tests on the future: no part reaches back into an earlier one.

    The shares are of the number of events; a boundary moves back to where its moment begins, so
    that events of one moment stay together.

    Args:
        validation: share of the events before the test part's.
        test: share of the last events.
    """

    kind: ClassVar[str] = "time"
    validation: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        _require_shares(self.validation, self.test)

    def parts(self, events: Events) -> Parts:
        """Returns the three stretches of time.

        Raises:
            InputError: if the events have no times.
        """
        if events.times is None:
            raise InputError(
                "split.kind = 'time' needs events.time; without times choose 'random' or 'column'"
            )
        return self.parts_of(events.times)

    def parts_of(self, times: NDArray[np.int64]) -> Parts:
        """Returns the three stretches of n moments (n,), which ascend."""
        n = len(times)
        bounds = [round(n * (1 - self.validation - self.test)), round(n * (1 - self.test))]
        first, second = (np.searchsorted(times, times[b]) if b < n else n for b in bounds)
        return Parts(np.arange(first), np.arange(first, second), np.arange(second, n))


@dataclass(frozen=True)
class RandomSplit:
    """Deals events at random, the same way for the same seed.

    Args:
        validation: share of the events.
        test: share of the events.
        seed: of the deal.
    """

    kind: ClassVar[str] = "random"
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        _require_shares(self.validation, self.test)

    def parts(self, events: Events) -> Parts:
        """Returns three random parts, each in time order."""
        n = len(events)
        dealt = np.random.default_rng(self.seed).permutation(n)
        test, validation = round(n * self.test), round(n * self.validation)
        cuts = np.split(dealt, [n - validation - test, n - test])
        return Parts(*(np.sort(cut) for cut in cuts))


@dataclass(frozen=True)
class ColumnSplit:
    """Follows a column of the log that names each event's part.

    Args:
        column: its name; events with other values are in no part.
        train: value of the train part, and so on.
        validation: left out, there is no validation part.
        test: left out, there is no test part.
    """

    kind: ClassVar[str] = "column"
    column: str = "part"
    train: str | int = "train"
    validation: str | int | None = "validation"
    test: str | int | None = "test"

    def parts(self, events: Events) -> Parts:
        """Returns the events with each value.

        Raises:
            InputError: if no event is in the train part.
        """
        column = column_of(events.frame, self.column, "split.column")
        values = column.to_list()
        found = [
            np.flatnonzero([v == name and name is not None for v in values])
            for name in (self.train, self.validation, self.test)
        ]
        if not found[0].size:
            raise InputError(
                f"no event has {self.column} = {self.train!r};"
                f" its values are {sorted(set(map(str, values)))[:10]}"
            )
        return Parts(*found)


SplitConfig = TimeSplit | RandomSplit | ColumnSplit


def _require_shares(validation: float, test: float) -> None:
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ConfigError(
            "split needs shares in [0, 1) that leave something to train on,"
            f" got {validation} and {test}"
        )
