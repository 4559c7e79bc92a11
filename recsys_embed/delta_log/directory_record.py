"""The record of a log in a directory, `log.json`: JSON that carries its own checksum."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_embed.config import from_dict, to_dict
from recsys_embed.delta_log.directory_files import replace_file
from recsys_embed.delta_log.state import Base
from recsys_embed.errors import ConfigError, DamagedEntryError, LogNotFoundError
from recsys_embed.snapshot.checksums import checksum

FORMAT = "recsys-embed-delta-log"
VERSION = 1
UNSIGNED = "0" * 16


@dataclass(frozen=True)
class Record:
    """What `log.json` says."""

    lineage: str
    token: int
    writer: str
    trimmed: int
    base: Base


def load_record(root: Path) -> Record:
    """Reads and checks the record of a log.

    Raises:
        LogNotFoundError: if there is none.
        DamagedEntryError: if its bytes have changed, or are of another format.
    """
    path = root / "log.json"
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise LogNotFoundError(
            f"{root} holds no delta log: expected {path}, which the first writer makes"
        ) from None
    try:
        return from_dict(Record, _checked(text), "log")
    except (ValueError, AttributeError, ConfigError) as error:
        raise DamagedEntryError(f"{path}: {error}") from None


def _checked(text: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(text)
    stated = str(values.pop("checksum", None))
    found = checksum(text.replace(stated.encode(), UNSIGNED.encode(), 1))
    if stated != found:
        raise ValueError(f"expected the checksum {stated}, found {found}")
    made = (values.pop("format", None), values.pop("version", None))
    if made != (FORMAT, VERSION):
        raise ValueError(f"expected the format {FORMAT!r} of version {VERSION}, found {made}")
    return values


def save_record(root: Path, record: Record) -> None:
    """Replaces the record of a log, durably."""
    values = {"checksum": UNSIGNED, "format": FORMAT, "version": VERSION, **to_dict(record)}
    text = json.dumps(values, indent=1).encode()
    replace_file(root / "log.json", text.replace(UNSIGNED.encode(), checksum(text).encode(), 1))
