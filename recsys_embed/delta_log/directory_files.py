"""The files of a log in a directory: its record, its entries by number, and locks.

root/log.json                       the record: lineage, token, what is trimmed and what covers it
root/000000000042-1b4e28ba.delta    entry 42 of the lineage that begins with 1b4e28ba
root/writer-000000000003.lock       held, by flock, by the writer with token 3 while it lives
root/replicas/NAME.json             what a replica has acknowledged
root/.….writing                     a file under way, or one that was interrupted
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys_embed.config import from_dict, to_dict
from recsys_embed.delta_log.state import Base
from recsys_embed.errors import (
    ConfigError,
    DamagedEntryError,
    LogNotFoundError,
    LogUnavailableError,
)
from recsys_embed.snapshot.checksums import checksum
from recsys_embed.snapshot.directories import fsync_directory

FORMAT = "recsys-embed-delta-log"
VERSION = 1
UNSIGNED = "0" * 16
ENTRY = re.compile(r"(\d{12,})-([0-9a-f]{8})\.delta")
OURS = re.compile(rf"{ENTRY.pattern}|writer-\d{{12,}}\.lock|\.(\d{{12,}}-\d+|log\.json)\.writing")
FULL = (errno.ENOSPC, errno.EDQUOT)


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


def entry_path(root: Path, number: int, lineage: str) -> Path:
    """Names the file of an entry."""
    return root / f"{number:012d}-{lineage[:8]}.delta"


def entries_in(root: Path, lineage: str, after: int) -> dict[int, Path]:
    """Finds the entries of a lineage beyond a number, in order."""
    with os.scandir(root) as found:
        matches = [match for file in found if (match := ENTRY.fullmatch(file.name))]
    numbers = sorted(int(match[1]) for match in matches if match[2] == lineage[:8])
    return {number: entry_path(root, number, lineage) for number in numbers if number > after}


def replace_file(path: Path, data: bytes) -> None:
    """Writes a small file whole and durably in place of another."""
    hidden = path.with_name(f".{path.name}.writing")
    write_parts(hidden, data)
    hidden.replace(path)
    fsync_directory(path.parent)


def write_parts(path: Path, *parts: bytes) -> None:
    """Writes a file and brings it to disk; what cannot be written whole is removed."""
    try:
        with path.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def reaching(root: Path, doing: str) -> Iterator[None]:
    """Names what was done where the system refuses it.

    Raises:
        LogUnavailableError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(root).free if root.is_dir() else 0
        raise LogUnavailableError(
            f"cannot {doing} {root}: {error.strerror or error} ({free:,} bytes are free); the"
            " entries before are untouched, and the same call may be made again"
        ) from error


@contextlib.contextmanager
def moment(root: Path, wait_s: float = 5.0) -> Iterator[None]:
    """Holds the log for one change; the system lets go of it when the process dies.

    Raises:
        LogUnavailableError: if another process holds it for `wait_s`.
    """
    fd = os.open(root, os.O_RDONLY)
    try:
        deadline = time.monotonic() + wait_s
        while not flocked(fd):
            if time.monotonic() > deadline:
                raise LogUnavailableError(
                    f"another process has held {root} for {wait_s:g} s; is it paused? Try again"
                )
            time.sleep(0.002)
        yield
    finally:
        os.close(fd)


def flocked(fd: int) -> bool:
    """Takes an exclusive flock, and tells whether it was free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
