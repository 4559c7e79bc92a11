"""The events of a log as records: what comes when, and any stretch of it as a frame."""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from training.bags import Bags
from training.events import Events
from training.features import Feature
from training.online.records import EVENT, IMPRESSION, OUTCOME, refuse_reserved

NAMES = pl.Series("type", [EVENT, IMPRESSION, OUTCOME])
EVENT_CODE, IMPRESSION_CODE, OUTCOME_CODE = range(3)


class ReplayRecords:
    """The records of some events in time order; an event's key is its number in the log.

    Args:
        events: of the log, as `load_events` gives them, with times.
        past: the bags of each history, which travel as lists of ids.
        chosen: the events to give, ascending.
        outcome_after_s: None: each record is an event. Else an impression, and for label 1 an
            outcome that many seconds later.

    Raises:
        ConfigError: if a column is named like a field that every record has.
    """

    def __init__(
        self,
        events: Events,
        past: Mapping[str, Bags],
        chosen: NDArray[np.int64],
        outcome_after_s: float | None,
    ) -> None:
        assert events.times is not None
        self._frame, self._labels, self._past = events.frame, events.labels, past
        refuse_reserved([*self._frame.columns, *past], "the log")
        clicked = events.labels[chosen] > 0 if outcome_after_s is not None else np.zeros(0, bool)
        rows = np.concatenate([chosen, chosen[clicked]]) if len(clicked) else chosen
        times = events.times[rows].astype(np.float64)
        times[len(chosen) :] += outcome_after_s or 0.0
        types = np.full(len(rows), EVENT_CODE if outcome_after_s is None else IMPRESSION_CODE)
        types[len(chosen) :] = OUTCOME_CODE
        order = np.argsort(times, kind="stable")
        self._types, self._rows, self.times = types[order], rows[order], times[order]

    def __len__(self) -> int:
        return len(self._rows)

    def cut(self, start: int, stop: int) -> pl.DataFrame:
        """Gives the records of numbers [start, stop) as a chunk holds them."""
        types, rows = self._types[start:stop], self._rows[start:stop]
        is_outcome = pl.Series(types == OUTCOME_CODE)
        columns = [*_taken(self._frame, rows)]
        columns += [lists(name, bags.take(rows)) for name, bags in self._past.items()]
        if is_outcome.any():
            columns = [_only(column, ~is_outcome) for column in columns]
        labels = pl.Series("label", self._labels[rows])
        if (types == IMPRESSION_CODE).any():
            labels = _only(labels, is_outcome)
        key, time = (
            pl.Series("key", rows).cast(pl.String),
            pl.Series("time", self.times[start:stop]),
        )
        return pl.DataFrame([NAMES.gather(types), key, time, labels, *columns])


def past_of(
    histories: Iterable[str], events: Events, features: Mapping[str, Feature]
) -> dict[str, Bags]:
    """Gives the bags of each history that a feature uses."""
    first = {feature.columns_of(name)[0]: name for name, feature in features.items()}
    return {name: events.bags[first[name]] for name in histories if name in first}


def lists(name: str, bags: Bags) -> pl.Series:
    """Turns bags into a column of lists."""
    positions, lengths = bags.positions(np.arange(len(bags)))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = pa.array(bags.values[positions])
    return pl.Series(name, pa.LargeListArray.from_arrays(pa.array(offsets), values))


def _taken(frame: pl.DataFrame, rows: NDArray[np.int64]) -> pl.DataFrame:
    is_stretch = len(rows) > 0 and bool(np.all(np.diff(rows) == 1))
    return frame.slice(int(rows[0]), len(rows)) if is_stretch else frame[rows]


def _only(column: pl.Series, kept: pl.Series) -> pl.Series:
    """Puts null where a value is not kept."""
    return pl.select(pl.when(kept).then(column).alias(column.name)).to_series()
