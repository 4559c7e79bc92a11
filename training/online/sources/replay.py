"""A replay: the log of a config, given record by record as if it happened now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import ClassVar

import numpy as np

from recsys_embed.errors import ConfigError
from training.events import EventsConfig, load_events
from training.features import Dense, Feature
from training.online.sources.replay_records import ReplayRecords, past_of
from training.online.sources.replay_source import ReplaySource
from training.readers import DataConfig


@dataclass(frozen=True)
class Replay:
    """Replays the events of a log in time order; histories travel as lists of ids.

    Args:
        data: which reader, and where its files lie.
        events: what of them is an event; needs `time`.
        speed: seconds of event time that pass in a second; 0: as fast as records are asked for.
        outcome_after_s: None: each record is a whole event. Else each is an impression, and for
            label 1 an outcome follows that many seconds later.
        start: the first moment that is replayed: seconds since the epoch, or a date or date-time
            (TOML's, or ISO 8601 in text), of UTC unless it says otherwise.
        stop: the first moment that is not; outcomes of what was shown before still come.
    """

    kind: ClassVar[str] = "replay"
    data: DataConfig
    events: EventsConfig
    speed: float = 0.0
    outcome_after_s: float | None = None
    start: float | str | date | None = None
    stop: float | str | date | None = None

    def __post_init__(self) -> None:
        if self.events.time is None:
            raise ConfigError("a replay goes by time; say events.time")
        if not self.speed >= 0 or not (self.outcome_after_s is None or self.outcome_after_s >= 0):
            raise ConfigError(
                "a replay needs speed >= 0 and outcome_after_s >= 0, got"
                f" {self.speed} and {self.outcome_after_s}"
            )
        for name in ("start", "stop"):
            moment = getattr(self, name)
            if isinstance(moment, date):  # plain JSON knows no dates
                object.__setattr__(self, name, moment.isoformat())
            seconds_of(getattr(self, name), name)

    def open(
        self, features: Mapping[str, Feature], dense: Dense, derived: Collection[str] = ()
    ) -> ReplaySource:
        """Reads the log for a model.

        Args:
            features: what records must have the columns for.
            dense: as well.
            derived: columns that will be made of the others, of which a replay knows none.

        Raises:
            ConfigError: if a feature needs such a column.
            InputError: for data that is not as described.
        """
        asked = {f"features.{name}": feature.columns_of(name) for name, feature in features.items()}
        for where, columns in {**asked, "dense": list(dense.columns)}.items():
            if late := set(columns) & set(derived):
                raise ConfigError(
                    f"{where} asks for column {min(late)!r}, which [derive] makes of the"
                    " records of a stream; of a replay, make it in [source.events.derive]"
                )
        events = load_events(self.data.read(), self.events, features, dense)
        assert events.times is not None
        start, stop = seconds_of(self.start, "start"), seconds_of(self.stop, "stop")
        first = 0 if start is None else int(np.searchsorted(events.times, start))
        last = len(events) if stop is None else int(np.searchsorted(events.times, stop))
        past = past_of(self.events.history, events, features)
        chosen = np.arange(first, max(first, last))
        records = ReplayRecords(events, past, chosen, self.outcome_after_s)
        return ReplaySource(records, self.speed)


def seconds_of(moment: float | str | date | None, where: str) -> float | None:
    """Turns seconds, or a date, into seconds since the epoch.

    Raises:
        ConfigError: for text that is no date.

    Example:
        >>> seconds_of("2011-11-02", "start")
        1320192000.0
    """
    if moment is None or isinstance(moment, float | int):
        return moment
    try:
        parsed = datetime.fromisoformat(str(moment))
    except ValueError:
        raise ConfigError(
            f"{where}: expected seconds or a date like 2011-11-02T08:30, got {moment!r}"
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
