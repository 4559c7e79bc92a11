"""Records as JSON, one object a message, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import polars as pl

from recsys_embed.errors import ConfigError
from training.online.records import EVENT, IMPRESSION, OF_RECORD, OUTCOME

OF_PYTHON = {"str": {str}, "int": {int}, "float": {float, int}, "bool": {bool}}
OF_POLARS = {"str": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
MAX_TIME = 2**32  # tables count seconds in 32 bits; what is beyond them is milliseconds
SHOWN = 80  # bytes of a message that a complaint shows


class Messages:
    """Turns messages into records of certain columns.

    A column that a message lacks is null, one that nobody asked for is left out.

    Args:
        columns: their types by name: "str", "int", "float", "bool", or a list, "list[str]".
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._schema = OF_RECORD | {name: polars_type(type) for name, type in columns.items()}

    def records(self, messages: Iterable[bytes | None]) -> tuple[pl.DataFrame, list[str]]:
        """Gives the records in order, and a sentence for each message that is none."""
        records, complaints = list[dict[str, Any]](), list[str]()
        for message in messages:
            try:
                records.append(self._checked(orjson.loads(message or b"")))
            except ValueError as error:
                shown = (message or b"")[:SHOWN].decode(errors="replace")
                complaints.append(f"{error}, in {shown!r}")
        columns = [
            pl.Series(name, [record.get(name) for record in records], type, strict=False)
            for name, type in self._schema.items()
        ]
        return pl.DataFrame(columns), complaints

    def _checked(self, record: Any) -> dict[str, Any]:
        """Gives a record whose values are of their types.

        Raises:
            ValueError: that says what is wrong.
        """
        if type(record) is not dict:
            raise ValueError("expected a JSON object")
        kind = record.get("type")
        if kind not in (EVENT, IMPRESSION, OUTCOME):
            raise ValueError(f"expected type impression, outcome or event, got {kind!r}")
        if type(record.get("key")) is not str:
            raise ValueError(f"expected a key that is a string, got {record.get('key')!r}")
        if not _is_number(record.get("time"), MAX_TIME - 1):
            raise ValueError(
                f"expected a time in seconds since the epoch, got {record.get('time')!r}"
            )
        if kind == IMPRESSION:
            record["label"] = None
        elif not _is_number(record.get("label"), 1):
            raise ValueError(f"expected a label from 0 to 1, got {record.get('label')!r}")
        if kind == OUTCOME:
            return {name: record[name] for name in OF_RECORD}
        for name, expected in self._columns.items():
            if (value := record.get(name)) is not None and not _is_of(value, expected):
                raise ValueError(f"expected {name} of type {expected}, got {value!r:.{SHOWN}}")
        return record


def polars_type(name: str) -> Any:
    """Gives the type in polars.

    Example:
        >>> polars_type("list[int]")
        List(Int64)
    """
    scalar = name.removeprefix("list[").removesuffix("]")
    return OF_POLARS[scalar] if scalar == name else pl.List(OF_POLARS[scalar])


def types_of(frame: pl.DataFrame) -> dict[str, str]:
    """Names the types of the configured columns of records.

    Raises:
        ConfigError: for a column of a type that messages do not have.
    """
    columns = {name: dtype for name, dtype in frame.schema.items() if name not in OF_RECORD}
    return {name: _name_of(name, dtype) for name, dtype in columns.items()}


def encode(records: pl.DataFrame) -> list[bytes]:
    """Gives each record as JSON, of which `Messages` makes the same record.

    Raises:
        ConfigError: for a column of a type that messages do not have.
    """
    columns = [pl.col(name).cast(polars_type(of)) for name, of in types_of(records).items()]
    unsigned = pl.col(name for name, dtype in records.schema.items() if dtype == pl.UInt64)
    plain = records.with_columns(unsigned.reinterpret(signed=True)).with_columns(columns)
    of_type = {
        EVENT: plain,
        IMPRESSION: plain.drop("label"),
        OUTCOME: plain.select(OF_RECORD.keys()),
    }
    lines = {
        kind: iter(frame.filter(records["type"] == kind).write_ndjson().encode().splitlines())
        for kind, frame in of_type.items()
    }
    return [next(lines[kind]) for kind in records["type"]]


def _is_number(value: Any, highest: float) -> bool:
    return type(value) in (int, float, bool) and 0 <= value <= highest


def _is_of(value: Any, expected: str) -> bool:
    scalar = expected.removeprefix("list[").removesuffix("]")
    if scalar != expected and type(value) is not list:
        return False
    values = [value] if scalar == expected else [one for one in value if one is not None]
    if not set(map(type, values)) <= OF_PYTHON[scalar]:
        return False
    return scalar != "int" or all(-(2**63) <= one < 2**63 for one in values)


def _name_of(column: str, dtype: pl.DataType) -> str:
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    kinds = {"str": inner == pl.String, "bool": inner == pl.Boolean}
    kinds |= {"int": inner.is_integer(), "float": inner.is_float()}
    for name, is_it in kinds.items():
        if is_it:
            return f"list[{name}]" if isinstance(dtype, pl.List) else name
    raise ConfigError(
        f"column {column!r} holds {dtype}, which JSON does not; turn it into text or a number in"
        " [events.derive]"
    )
