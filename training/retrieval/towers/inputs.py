"""What a tower is given, and from which columns of the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed import FeatureRule
from recsys_embed.errors import ConfigError, InputError
from recsys_embed.retrieval.description import Ids, Number

DAY_S = 86_400


@dataclass(frozen=True)
class IdsFrom:
    """Takes ids: their vectors in a table, pooled.

    Args:
        column: of the log; the feature's own name if empty. "history" is what a basket's user had
            in earlier ones.
        table: that holds their rows; the feature's own name if empty.
        text: whether a value is a text whose words are the ids.
        most: how many count, from the end of a list; 0: all.
        pooling: how the vectors become one.
        threshold: occurrences until an id has a row.
        ttl_days: days without an occurrence until its row expires; left out: never.
    """

    kind: ClassVar[str] = "ids"
    column: str = ""
    table: str = ""
    text: bool = False
    most: int = 0
    pooling: Literal["mean", "sum"] = "mean"
    threshold: int = 1
    ttl_days: float | None = None

    def __post_init__(self) -> None:
        if self.ttl_days is not None and self.ttl_days <= 0:
            raise ConfigError(f"ttl_days must be above 0, got {self.ttl_days}")

    def described(self, feature: str, missing: Literal["zeros", "initial"]) -> Ids:
        """Says the same to serving."""
        return Ids(
            feature,
            self.table or feature,
            of=feature,
            text=self.text,
            most=self.most,
            pooling=self.pooling,
            missing=missing,
        )

    def rule(self, feature: str) -> FeatureRule:
        """Says when an id earns and loses its row."""
        ttl_s = None if self.ttl_days is None else max(1, round(self.ttl_days * DAY_S))
        return FeatureRule(feature, self.threshold, ttl_s)


@dataclass(frozen=True)
class NumberFrom:
    """Takes a number, brought to mean 0 and deviation 1 by those of the train part.

    Args:
        column: of the log; the feature's own name if empty.
        log: whether log(1 + max(x, 0)) is taken first.
    """

    kind: ClassVar[str] = "number"
    column: str = ""
    log: bool = False

    def described(self, feature: str, values: NDArray[np.float64]) -> Number:
        """Says the same to serving, with mean and deviation of the values (n,).

        Raises:
            InputError: if there is no value, or one that is not finite.
        """
        if not len(values) or not np.isfinite(values).all():
            raise InputError(f"feature {feature!r} needs finite numbers in the train part")
        scaled = np.log1p(np.maximum(values, 0)) if self.log else values
        std = float(scaled.std())
        return Number(feature, self.log, float(scaled.mean()), std if std > 0 else 1.0)


InputFrom = IdsFrom | NumberFrom
Inputs = Mapping[str, InputFrom]


def column_of(feature: str, one: InputFrom) -> str:
    """Names the column that a feature is read from."""
    return one.column or feature
