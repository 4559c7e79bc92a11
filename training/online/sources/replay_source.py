"""The source of a replay: its records, as they fall due."""

import math
import time

import numpy as np

from recsys_embed.errors import InputError
from training.online.records import Chunk, Offset
from training.online.sources.messages import types_of
from training.online.sources.replay_records import ReplayRecords


class ReplaySource:
    """Gives records by number, so an offset is how many were given.

    Concurrency: one thread.

    Args:
        records: all of the replay.
        speed: seconds of event time that pass in a second, from the first read or the last seek on;
            0: every record is due at once.
    """

    malformed = 0
    trouble = None

    def __init__(self, records: ReplayRecords, speed: float) -> None:
        self._records, self._speed = records, speed
        self._given = 0
        self._began: float | None = None  # when the replay's time 0 would have been

    @property
    def num_records(self) -> int:
        """How many records there are in all."""
        return len(self._records)

    @property
    def columns(self) -> dict[str, str]:
        """The types that the configured columns have in messages.

        Raises:
            ConfigError: for a column of a type that messages do not have.
        """
        return types_of(self._records.cut(0, 0))

    @property
    def is_done(self) -> bool:
        """Whether all records were given."""
        return self._given == len(self._records)

    def read(self, max_records: int, wait_s: float) -> Chunk | None:
        """Gives what is due; see `Source`."""
        if self.is_done:
            return None
        if not self.lag():
            time.sleep(min(wait_s, self._seconds_left()))
        end = self._given + min(max_records, self.lag())
        if end == self._given:
            return None
        records = self._records.cut(self._given, end)
        self._given = end
        return Chunk(records, {"records": end})

    def seek(self, offset: Offset | None) -> None:
        """Goes on behind an offset, as if what comes next were due now.

        Raises:
            InputError: if the replay has fewer records.
        """
        given = 0 if offset is None else offset["records"]
        if not 0 <= given <= len(self._records):
            raise InputError(
                f"expected an offset of 0 to {len(self._records)} records, got {given}; the log or"
                " its config has changed since, so begin anew"
            )
        self._given, self._began = given, None

    def forget(self, offset: Offset) -> None:
        """Does nothing: a log stays."""

    def lag(self) -> int:
        """How many records are due."""
        if not self._speed or self.is_done:
            return len(self._records) - self._given
        if self._began is None:
            self._began = time.monotonic() - self._records.times[self._given] / self._speed
        now = (time.monotonic() - self._began) * self._speed
        return max(0, int(np.searchsorted(self._records.times, now, side="right")) - self._given)

    def close(self) -> None:
        """Does nothing: no file is open."""

    def _seconds_left(self) -> float:
        assert self._began is not None
        due = self._began + self._records.times[self._given] / self._speed
        return max(0.0, math.nextafter(due, math.inf) - time.monotonic())
