"""The attributes of all slots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.checking import Values, checked
from recsys_embed.index.attributes.masks import Masks
from recsys_embed.index.attributes.number_column import NumberColumn
from recsys_embed.index.attributes.schema import Kind, Schema
from recsys_embed.index.attributes.tag_column import TagColumn
from recsys_embed.index.attributes.text_column import TextColumn

Column = NumberColumn | TextColumn | TagColumn
NUMBERS: Mapping[Kind, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_}


class Columns:
    """Holds the attributes of slots 0, 1, 2 …; slots are added at the end and never change.

    One thread appends. Any thread may read slots below a length that it saw, at any time.

    Args:
        schema: the attributes and their kinds.

    Example:
        >>> columns = Columns(Schema({"price": "float", "country": "str"}))
        >>> columns.append({"price": [2.5, None], "country": ["FR", "DE"]}, count=2)
        >>> columns.take([1, 0])
        [{'country': 'DE'}, {'price': 2.5, 'country': 'FR'}]
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.masks = Masks()
        self._columns = {name: _column(kind) for name, kind in schema.kinds.items()}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, values: Values | None, count: int) -> None:
        """Adds `count` slots.

        Args:
            values: as in `checked`, one value a slot.
            count: how many slots.

        Raises:
            AttributesError: as in `checked`; nothing is added then.
        """
        plain = checked(values, self.schema, count)
        for name, column in self._columns.items():
            column.write(self._size, plain.get(name) or [None] * count)
        self._size += count  # last: only now may readers look at the new slots

    def column(self, name: str) -> Column:
        """Gives the column of one attribute, for filters."""
        return self._columns[name]

    def numbers(self, name: str) -> NumberColumn:
        """Gives the column of an attribute that is a number, for filters by range."""
        column = self._columns[name]
        assert isinstance(column, NumberColumn)
        return column

    def take(self, slots: Sequence[int] | NDArray[np.int64]) -> list[dict[str, Any]]:
        """Gives the attributes at some slots, absent ones left out."""
        rows: list[dict[str, Any]] = [{} for _ in range(len(slots))]
        for name, values in self.values(slots).items():
            for row, value in zip(rows, values, strict=True):
                if value is not None:
                    row[name] = value
        return rows

    def values(self, slots: Sequence[int] | NDArray[np.int64]) -> dict[str, list[Any]]:
        """Gives the attributes at some slots by attribute, as `checked` spells them."""
        at = np.asarray(slots, np.int64)
        return {name: column.take(at) for name, column in self._columns.items()}

    def compacted(self, slots: Sequence[int] | NDArray[np.int64]) -> "Columns":
        """Gives new columns that hold these slots alone, numbered from 0 in this order."""
        kept, at = Columns(self.schema), np.asarray(slots, np.int64)
        kept._columns = {name: column.kept(at) for name, column in self._columns.items()}
        kept._size = len(at)
        return kept

    @property
    def nbytes(self) -> int:
        """Bytes held, strings and masks left out."""
        return sum(column.nbytes for column in self._columns.values())


def _column(kind: Kind) -> Column:
    if kind in NUMBERS:
        return NumberColumn(NUMBERS[kind])
    return TextColumn() if kind == "str" else TagColumn()
