"""Records as JSON, one object a message, and back."""

import time as clock
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from recsys_embed.errors import ConfigError
from training.online.records import EVENT, IMPRESSION, OF_RECORD, OUTCOME
from training.online.sources.values import are_of, column_of, name_of, polars_type

AHEAD_S = 86_400  # that a clock may be wrong; what is further ahead would end all waiting at once
SHOWN = 80  # characters of a message that a complaint shows


class Messages:
    """Turns messages into records of certain columns.

    A column that a message lacks is null, one that nobody asked for is left out.

    Args:
        columns: their types by name: "str", "int", "float", "bool", or a list, "list[str]".
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def records(self, messages: Iterable[bytes | None]) -> tuple[pl.DataFrame, list[str]]:
        """Gives the records in order, and a sentence for each message that is none."""
        records, complaints = list[dict[str, Any]](), list[str]()
        for message in messages:
            try:
                records.append(_checked(orjson.loads(message or b"")))
            except ValueError as error:
                complaints.append(_complaint(error, message))
        columns = self._columns_of(records)
        if columns is None:  # some value is of another type: look one by one
            records = [record for record in records if self._take(record, complaints)]
            columns = self._columns_of(records)
        assert columns is not None
        return pl.DataFrame([*_fields_of(records), *columns]), complaints

    def _columns_of(self, records: Sequence[dict[str, Any]]) -> list[pl.Series] | None:
        columns = []
        for name, type in self._columns.items():
            values = [record.get(name) for record in records]
            if not are_of(values, type):
                return None
            columns.append(column_of(values, name, type))
        return columns

    def _take(self, record: dict[str, Any], complaints: list[str]) -> bool:
        """Says whether the values of a record are of their types; complains if not."""
        for name, type in self._columns.items():
            value = record.get(name)
            if not are_of([value], type):
                complaints.append(f"expected {name} of type {type}, got {value!r:.{SHOWN}}")
                return False
        return True


def types_of(frame: pl.DataFrame) -> dict[str, str]:
    """Names the types of the configured columns of records.

    Raises:
        ConfigError: for a column of a type that messages do not have.
    """
    columns = {name: dtype for name, dtype in frame.schema.items() if name not in OF_RECORD}
    types = {name: name_of(dtype) for name, dtype in columns.items()}
    for name, type in types.items():
        if type is None:
            raise ConfigError(
                f"column {name!r} holds {columns[name]}, which JSON does not; turn it into text or"
                " a number in [events.derive]"
            )
    return {name: type for name, type in types.items() if type is not None}


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


def _checked(record: Any) -> dict[str, Any]:
    """Gives a record whose own fields are as they should be, without what is not its type's.

    Raises:
        ValueError: that says what is wrong.
    """
    if type(record) is not dict:
        raise ValueError("expected a JSON object")
    fields: list[Any] = [record.get(name) for name in OF_RECORD]
    kind, key, time, label = fields
    if kind not in (EVENT, IMPRESSION, OUTCOME):
        raise ValueError(f"expected type impression, outcome or event, got {kind!r:.{SHOWN}}")
    if type(key) is not str:
        raise ValueError(f"expected a key that is a string, got {key!r:.{SHOWN}}")
    if not _is_number(time) or not 0 <= time < clock.time() + AHEAD_S:
        raise ValueError(f"expected a time in seconds since the epoch, got {time!r:.{SHOWN}}")
    if kind == IMPRESSION:
        record["label"] = None
    elif not isinstance(label, int | float) or not 0 <= label <= 1:
        raise ValueError(f"expected a label from 0 to 1, got {label!r:.{SHOWN}}")
    return {name: record[name] for name in OF_RECORD} if kind == OUTCOME else record


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _fields_of(records: Sequence[dict[str, Any]]) -> list[pl.Series]:
    return [
        pl.Series(name, [record[name] for record in records], dtype, strict=False)
        for name, dtype in OF_RECORD.items()
    ]


def _complaint(error: ValueError, message: bytes | None) -> str:
    return f"{error}, in {(message or b'')[:SHOWN].decode(errors='replace')!r}"
