"""The event log as arrays: bags of ids, dense values, labels and times, in time order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from training.bags import Bags
from training.features import Dense, Feature, column_of
from training.history import History
from training.negatives import Negatives


@dataclass(frozen=True)
class EventsConfig:
    """Says what of a frame is an event: expressions are SQL over the columns of the reader.

    Args:
        where: keeps the events for which it is true; it comes first.
        derive: new columns, each from those before it.
        time: gives seconds since the epoch, or a date-time; events are then put in time order.
        label: true or above zero is 1. Left out where `negatives` make the zeros.
        history: features of the past, by name.
        negatives: sampled negatives; every event of the log is then a positive.
    """

    where: str | None = None
    derive: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    label: str | None = None
    history: Mapping[str, History] = field(default_factory=dict)
    negatives: Negatives | None = None

    def __post_init__(self) -> None:
        if (self.label is None) == (self.negatives is None):
            got = "neither" if self.label is None else "both"
            raise ConfigError(f"events need either label or negatives, got {got}")
        if self.time is None and (self.history or self.negatives):
            raise ConfigError(
                "events.history and events.negatives look at the past; say events.time"
            )


@dataclass(frozen=True)
class Events:
    """n events in time order. All arrays share the first axis; a split is an array of positions.

    Args:
        bags: ids by feature.
        dense: float32 (n, number of dense columns).
        labels: float32 (n,), 0 or 1.
        times: seconds since the epoch, int64 (n,), ascending; None for a log without time.
        frame: the columns, of the reader and derived, that made them.
    """

    bags: Mapping[str, Bags]
    dense: NDArray[np.float32]
    labels: NDArray[np.float32]
    times: NDArray[np.int64] | None
    frame: pl.DataFrame

    def __len__(self) -> int:
        return len(self.labels)


def load_events(
    frame: pl.DataFrame,
    config: EventsConfig,
    features: Mapping[str, Feature],
    dense: Dense,
    *,
    keep: Sequence[str] = (),
) -> Events:
    """Turns a reader's frame into events, whose `frame` has the columns that are used and `keep`.

    Raises:
        InputError: for an expression that does not work, or a column that is not there.
    """
    if config.where is not None:
        frame = frame.filter(evaluated(frame, config.where, "events.where"))
    for name, sql in config.derive.items():
        frame = frame.with_columns(evaluated(frame, sql, f"events.derive.{name}").alias(name))
    frame, times = _in_time_order(frame, config.time)
    past = {name: history.bags(frame, times) for name, history in config.history.items()}
    used = _used_columns(frame, features, past) | {*keep, *dense.columns}
    if config.negatives is None:
        labels, origin = _labels(frame, config.label or ""), np.arange(len(frame))
        frame = frame.select(_among(frame, used))
    else:
        frame, labels, origin = _with_negatives(frame, times, config.negatives, used)
    bags = {name: _bags(frame, name, feature, past, origin) for name, feature in features.items()}
    values = dense.array(frame, len(origin))
    return Events(bags, values, labels, times[origin] if config.time else None, frame)


def _used_columns(
    frame: pl.DataFrame, features: Mapping[str, Feature], past: Mapping[str, Bags]
) -> set[str]:
    asked = [(name, c) for name, f in features.items() for c in f.columns_of(name) if c not in past]
    return {column_of(frame, column, f"features.{name}").name for name, column in asked}


def _bags(
    frame: pl.DataFrame,
    name: str,
    feature: Feature,
    past: Mapping[str, Bags],
    origin: NDArray[np.int64],
) -> Bags:
    column = feature.columns_of(name)[0]
    return past[column].take(origin) if column in past else feature.bags(frame, name)


def evaluated(frame: pl.DataFrame, sql: str, where: str) -> pl.Series:
    """Gives the value of an SQL expression over the columns of a frame.

    Raises:
        InputError: if it does not work, naming the place in the config.
    """
    try:
        return frame.with_columns(pl.sql_expr(sql).alias("_value"))["_value"]
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{where} = {sql!r} does not work: {' '.join(str(error).split())}"
        ) from error


def _in_time_order(frame: pl.DataFrame, sql: str | None) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    if sql is None:
        return frame, np.zeros(len(frame), np.int64)
    times = seconds(frame, sql, "events.time")
    order = np.argsort(times, kind="stable")
    return frame[order], times[order]


def seconds(frame: pl.DataFrame, sql: str, where: str) -> NDArray[np.int64]:
    """Gives the moments (n,) that an SQL expression over a frame means, seconds since the epoch.

    Raises:
        InputError: if it does not work, or gives neither date-times nor numbers.
    """
    time = evaluated(frame, sql, where)
    number = time.dt.epoch("s") if time.dtype.is_temporal() else time
    return _numbers(number, where, "a date-time or a number").astype(np.int64)


def _labels(frame: pl.DataFrame, sql: str) -> NDArray[np.float32]:
    values = _numbers(
        evaluated(frame, sql, "events.label"), "events.label", "true, false or a number"
    )
    return (values > 0).astype(np.float32)


def _numbers(column: pl.Series, where: str, expected: str) -> NDArray[np.float64]:
    if column.null_count() or not (column.dtype == pl.Boolean or column.dtype.is_numeric()):
        raise InputError(
            f"{where} must give {expected} for every event,"
            f" got {column.dtype} with {column.null_count()} missing"
        )
    return column.cast(pl.Float64).to_numpy()


def _with_negatives(
    frame: pl.DataFrame, times: NDArray[np.int64], negatives: Negatives, used: set[str]
) -> tuple[pl.DataFrame, NDArray[np.float32], NDArray[np.int64]]:
    """Puts each event's negatives behind it: columns, labels, the event of each line."""
    of_item = {negatives.item, *negatives.columns}
    for name in of_item:
        column_of(frame, name, "events.negatives")
    asked, standing_in = negatives.draw(frame, times)
    origin = np.concatenate([np.arange(len(frame)), asked])
    items = np.concatenate([np.arange(len(frame)), standing_in])
    labels = (np.arange(len(origin)) < len(frame)).astype(np.float32)
    order = np.argsort(origin, kind="stable")
    of_both = [
        frame.select(_among(frame, names))[lines[order]]
        for names, lines in ((used - of_item, origin), (used & of_item, items))
        if _among(frame, names)
    ]
    mixed = pl.concat(of_both, how="horizontal") if of_both else pl.DataFrame()
    return mixed, labels[order], origin[order]


def _among(frame: pl.DataFrame, names: set[str]) -> list[str]:
    return [name for name in frame.columns if name in names]
