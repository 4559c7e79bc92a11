"""Who waits for whom: keys, times and the order in which waiting ends; no columns."""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.online.records import EVENT, IMPRESSION

Integers = NDArray[np.int64]


@dataclass
class Counts:
    """What became of records.

    Args:
        events: that came whole.
        joined: impressions that got the label of an outcome.
        missing: impressions that were given up, label 0.
        late: outcomes that found no impression in time, or one that had its outcome.
        repeated: impressions whose key was waiting already.
    """

    events: int = 0
    joined: int = 0
    missing: int = 0
    late: int = 0
    repeated: int = 0


class Resolved(NamedTuple):
    """Records by number: those that are events now, their labels, and those that began to wait."""

    numbers: Integers
    labels: NDArray[np.float32]
    waiting: Integers


class Waiting:
    """Impressions and outcomes that wait, by key; a record is known by its number.

    Numbers grow in the order of arrival, so that (time, number) is the order of giving up.
    """

    def __init__(self, window_s: float) -> None:
        self.watermark = -np.inf
        self.counts = Counts()
        self.impressions: dict[str, int] = {}
        self.outcomes: dict[str, tuple[float, float]] = {}  # time and label
        self._window_s = window_s
        self._by_time: list[tuple[float, int, str]] = []  # impressions; some wait no longer
        self._outcomes_by_time: list[tuple[float, str]] = []
        self._numbers: list[int] = []
        self._labels: list[float] = []
        self._began: list[int] = []

    def resolve(self, records: pl.DataFrame, first: int) -> Resolved:
        """Takes records, numbered from `first` on, one after the other."""
        self._numbers, self._labels, self._began = [], [], []
        types, keys, times, labels = (
            records[name].to_list() for name in ("type", "key", "time", "label")
        )
        for number, type in enumerate(types, first):
            at = number - first
            time = times[at]
            if time > self.watermark:
                self.watermark = time
                self._give_up()
            if type == IMPRESSION:
                self._impression(keys[at], time, number)
            elif type == EVENT:
                self.counts.events += 1
                self._resolve(number, labels[at])
            else:
                self._outcome(keys[at], time, labels[at])
        return self._resolved()

    def finish(self) -> Resolved:
        """Gives up on everything that waits."""
        self._numbers, self._labels, self._began = [], [], []
        watermark, self.watermark = self.watermark, np.inf
        self._give_up()
        self.watermark = watermark
        return self._resolved()

    def wait(self, key: str, time: float, number: int) -> None:
        """Lets an impression wait."""
        self.impressions[key] = number
        heapq.heappush(self._by_time, (time, number, key))

    def wait_for(self, key: str, time: float, label: float) -> None:
        """Lets an outcome wait."""
        self.outcomes[key] = (time, label)
        heapq.heappush(self._outcomes_by_time, (time, key))

    def _impression(self, key: str, time: float, number: int) -> None:
        if key in self.impressions:
            self.counts.repeated += 1
        elif key in self.outcomes and self.outcomes[key][0] <= time + self._window_s:
            self.counts.joined += 1
            self._resolve(number, self.outcomes.pop(key)[1])
        elif time + self._window_s < self.watermark:
            self.counts.missing += 1
            self._resolve(number, 0.0)
        else:
            self._began.append(number)
            self.wait(key, time, number)

    def _outcome(self, key: str, time: float, label: float) -> None:
        if key in self.impressions:
            self.counts.joined += 1
            self._resolve(self.impressions.pop(key), label)
        elif key in self.outcomes or time + self._window_s < self.watermark:
            self.counts.late += 1
        else:
            self.wait_for(key, time, label)

    def _give_up(self) -> None:
        """Ends the waiting of all whose window the watermark has left behind."""
        by_time, window_s, watermark = self._by_time, self._window_s, self.watermark
        while by_time and by_time[0][0] + window_s < watermark:
            _, number, key = heapq.heappop(by_time)
            if self.impressions.get(key) == number:
                del self.impressions[key]
                self.counts.missing += 1
                self._resolve(number, 0.0)
        outcomes = self._outcomes_by_time
        while outcomes and outcomes[0][0] + window_s < watermark:
            time, key = heapq.heappop(outcomes)
            if key in self.outcomes and self.outcomes[key][0] == time:
                del self.outcomes[key]
                self.counts.late += 1

    def _resolve(self, number: int, label: float) -> None:
        self._numbers.append(number)
        self._labels.append(label)

    def _resolved(self) -> Resolved:
        numbers = np.array(self._numbers, np.int64)
        waiting = np.setdiff1d(np.array(self._began, np.int64), numbers, assume_unique=True)
        return Resolved(numbers, np.array(self._labels, np.float32), waiting)
