"""The values that JSON gives, checked against the types of columns."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import polars as pl
import pyarrow as pa

OF_PYTHON: dict[str, set[type]] = {
    "str": {str},
    "int": {int},
    "float": {float, int},
    "bool": {bool},
}
OF_POLARS = {"str": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
OF_ARROW = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_()}
TYPES = (*OF_POLARS, *(f"list[{scalar}]" for scalar in OF_POLARS))


def polars_type(name: str) -> Any:
    """Gives the type of a column.

    Example:
        >>> polars_type("list[int]")
        List(Int64)
    """
    return pl.List(OF_POLARS[_scalar(name)]) if _is_list(name) else OF_POLARS[name]


def are_of(values: Sequence[Any], name: str) -> bool:
    """Says whether every value is of a type, or missing; true is no number.

    Example:
        >>> are_of([1, None], "int"), are_of([True], "int"), are_of([["a", None], []], "list[str]")
        (True, False, True)
    """
    if _is_list(name):
        if not _types(values) <= {list}:
            return False
        values = list(chain.from_iterable(filter(None, values)))
    if not _types(values) <= OF_PYTHON[_scalar(name)]:
        return False
    if _scalar(name) != "int":
        return True
    there = [value for value in values if value is not None]
    return not there or (min(there) >= -(2**63) and max(there) < 2**63)


def column_of(values: Sequence[Any], column: str, name: str) -> pl.Series:
    """Makes a column of values of a type."""
    if _scalar(name) == "float":  # Arrow refuses integers that no float is
        return pl.Series(column, values, polars_type(name), strict=False)
    scalar = OF_ARROW[_scalar(name)]
    array = pa.array(values, pa.large_list(scalar) if _is_list(name) else scalar)
    return pl.Series(column, array, polars_type(name))


def name_of(dtype: pl.DataType) -> str | None:
    """Names the type of a column; None if JSON has no such values.

    Example:
        >>> name_of(pl.List(pl.Int32())), name_of(pl.Date())
        ('list[int]', None)
    """
    if isinstance(dtype, pl.List):
        inner = name_of(cast(pl.DataType, dtype.inner))
        return f"list[{inner}]" if inner in OF_POLARS else None
    kinds = {"str": dtype == pl.String, "bool": dtype == pl.Boolean}
    kinds |= {"int": dtype.is_integer(), "float": dtype.is_float()}
    return next((name for name, is_it in kinds.items() if is_it), None)


def _types(values: Sequence[Any]) -> set[type]:
    return set(map(type, values)) - {type(None)}


def _is_list(name: str) -> bool:
    return name.startswith("list[")


def _scalar(name: str) -> str:
    return name.removeprefix("list[").removesuffix("]")
