"""What a filter says once it is parsed: a tree that gives masks over slots."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.columns import Columns

Mask = NDArray[np.bool_]


class Predicate(ABC):
    """Says of every slot whether it holds. Predicates that say the same are equal.

    Absent values satisfy no condition but `Not`. Threads: any may ask for masks at any time.
    """

    def mask(self, columns: Columns, size: int) -> Mask:
        """Tells for each of the first `size` slots whether it holds, read-only bool (size,).

        Masks are kept with the columns: asked again, only slots that are new are looked at.

        Args:
            columns: of the schema that the predicate was parsed with.
            size: slots to look at, at most len(columns).
        """
        return columns.masks.get(self, size, lambda start, stop: self.rows(columns, start, stop))

    @abstractmethod
    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        """Tells for each slot of [start, stop) whether it holds."""


@dataclass(frozen=True)
class OneOf(Predicate):
    """Holds where the value is one of some; where one of the tags is.

    Args:
        field: the attribute.
        values: distinct, sorted.
        said: the condition as it was written, for messages.
    """

    field: str
    values: tuple[Any, ...]
    said: str = dataclasses.field(default="", compare=False)

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        return columns.column(self.field).one_of(self.values, start, stop)


@dataclass(frozen=True)
class Within(Predicate):
    """Holds where low <= value <= high.

    Args:
        field: the attribute, of numbers.
        low: the least value, None for no bound.
        high: the greatest value, None for no bound.
        said: the condition as it was written, for messages.
    """

    field: str
    low: float | None
    high: float | None
    said: str = dataclasses.field(default="", compare=False)

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        return columns.numbers(self.field).within(self.low, self.high, start, stop)


@dataclass(frozen=True)
class Exists(Predicate):
    """Holds where there is a value.

    Args:
        field: the attribute.
        said: the condition as it was written, for messages.
    """

    field: str
    said: str = dataclasses.field(default="", compare=False)

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        return columns.column(self.field).present(start, stop)


@dataclass(frozen=True)
class AllOf(Predicate):
    """Holds where every part holds.

    Args:
        parts: at least one.
    """

    parts: tuple[Predicate, ...]

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        mask = np.ones(stop - start, bool)
        for part in self.parts:
            mask &= part.mask(columns, stop)[start:]
        return mask


@dataclass(frozen=True)
class AnyOf(Predicate):
    """Holds where at least one part holds.

    Args:
        parts: at least one.
    """

    parts: tuple[Predicate, ...]

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        mask = np.zeros(stop - start, bool)
        for part in self.parts:
            mask |= part.mask(columns, stop)[start:]
        return mask


@dataclass(frozen=True)
class Not(Predicate):
    """Holds where its part does not.

    Args:
        part: what must not hold.
    """

    part: Predicate

    def rows(self, columns: Columns, start: int, stop: int) -> Mask:
        return ~self.part.mask(columns, stop)[start:]
