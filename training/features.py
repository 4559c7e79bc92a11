"""What a model is given: categorical features (bags of ids) and dense columns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import ConfigError, InputError
from training.bags import Bags, bags_of, ids_of

DAY_S = 86_400


@dataclass(frozen=True)
class Feature:
    """Names a feature's columns, its table, and when an id earns and loses its row there.

    Args:
        columns: one column; or several, crossed: the id is that of the values joined by "|", and a
            list among them gives one id for each of its values. The feature's own name by default.
        table: the feature's own name unless given. Features of one table share its rows.
        threshold: occurrences until an id is admitted.
        ttl_days: days without an occurrence until its row expires; left out: never.
        weights: a list column of numbers beside a list column of ids.
    """

    columns: tuple[str, ...] = ()
    table: str | None = None
    threshold: int = 1
    ttl_days: float | None = None
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.ttl_days is not None and self.ttl_days <= 0:
            raise ConfigError(f"ttl_days must be above 0, got {self.ttl_days}")
        if self.weights is not None and len(self.columns) > 1:
            raise ConfigError(f"weights belong to one list column, got columns {self.columns}")

    @property
    def ttl_s(self) -> int | None:
        """The time to live in seconds."""
        return None if self.ttl_days is None else max(1, round(self.ttl_days * DAY_S))

    def columns_of(self, name: str) -> list[str]:
        """Names all columns that a feature of this name is made of, that of weights last."""
        return [*(self.columns or (name,)), *([self.weights] if self.weights else [])]

    def bags(self, frame: pl.DataFrame, name: str) -> Bags:
        """Returns one bag an event.

        Raises:
            InputError: if the frame has no such column, or one that gives no ids.
        """
        columns = [column_of(frame, c, f"features.{name}") for c in self.columns or (name,)]
        weights = (
            None
            if self.weights is None
            else column_of(frame, self.weights, f"features.{name}.weights")
        )
        return bags_of(columns[0], weights) if len(columns) == 1 else _cross(columns, name)


@dataclass(frozen=True)
class Dense:
    """Names the dense columns and what is done to their values; a missing one counts as 0.

    Args:
        columns: numbers or booleans.
        transform: "none", or "log1p": sign(x) * log(1 + |x|), which tames counts and prices.
    """

    columns: tuple[str, ...] = ()
    transform: Literal["none", "log1p"] = "none"

    def array(self, frame: pl.DataFrame, n: int) -> NDArray[np.float32]:
        """Returns the values of n events, float32 (n, number of columns).

        Raises:
            InputError: if the frame has no such column, or one without finite numbers.
        """
        columns = [self._column(frame, name) for name in self.columns]
        return np.column_stack(columns) if columns else np.zeros((n, 0), np.float32)

    def _column(self, frame: pl.DataFrame, name: str) -> NDArray[np.float32]:
        column = column_of(frame, name, "dense.columns")
        if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise InputError(f"dense column {name!r} must hold numbers, got {column.dtype}")
        values = column.cast(pl.Float64).fill_null(0.0).to_numpy()
        if not np.isfinite(values).all():
            raise InputError(
                f"dense column {name!r} must hold finite numbers,"
                f" got {values[~np.isfinite(values)][0]}"
            )
        return (
            np.sign(values) * np.log1p(np.abs(values)) if self.transform == "log1p" else values
        ).astype(np.float32)


def _cross(columns: list[pl.Series], name: str) -> Bags:
    """Gives the ids of the values joined as text; an event that misses one has none."""
    frame = pl.DataFrame([column.alias(str(k)) for k, column in enumerate(columns)])
    lists = [column for column in frame.columns if isinstance(frame[column].dtype, pl.List)]
    joined = pl.concat_str(frame.columns, separator="|").alias(name)
    if not lists:
        return bags_of(frame.select(joined).to_series())
    if len(lists) > 1:
        raise InputError(
            f"features.{name} crosses {len(lists)} list columns; at most one may be a list"
        )
    numbered = frame.with_row_index("event").filter(pl.col(lists[0]).list.len() > 0)
    apart = numbered.explode(lists[0]).select("event", joined).drop_nulls()
    lengths = np.bincount(apart["event"].to_numpy(), minlength=len(frame))
    return Bags(ids_of(apart[name]), np.cumsum(lengths) - lengths, lengths)


def column_of(frame: pl.DataFrame, name: str, where: str) -> pl.Series:
    """Returns a column.

    Raises:
        InputError: if there is none of that name, naming the near ones.
    """
    if name not in frame.columns:
        raise InputError(
            f"{where} asks for column {name!r}, which the events lack; {near(name, frame.columns)}"
        )
    return frame[name]
