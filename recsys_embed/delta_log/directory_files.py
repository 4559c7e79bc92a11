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
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from recsys_embed.errors import LogUnavailableError
from recsys_embed.snapshot.directories import fsync_directory

ENTRY = re.compile(r"(\d{12,})-([0-9a-f]{8})\.delta")
OURS = re.compile(rf"{ENTRY.pattern}|writer-\d{{12,}}\.lock|\.(\d{{12,}}-\d+|log\.json)\.writing")
TICK_NS = 100_000_000
Stamp = tuple[int, ...]
FULL = (errno.ENOSPC, errno.EDQUOT)


def entry_path(root: Path, number: int, lineage: str) -> Path:
    """Names the file of an entry."""
    return root / f"{number:012d}-{lineage[:8]}.delta"


def entries_in(root: Path, lineage: str, after: int) -> dict[int, Path]:
    """Finds the entries of a lineage beyond a number, in order."""
    with os.scandir(root) as found:
        matches = [match for file in found if (match := ENTRY.fullmatch(file.name))]
    numbers = sorted(int(match[1]) for match in matches if match[2] == lineage[:8])
    return {number: entry_path(root, number, lineage) for number in numbers if number > after}


def stamp(root: Path) -> Stamp | None:
    """Gives what changes whenever entries or record do; None where that is not certain.

    Times of files go by ticks of some milliseconds: within one, two states look alike. Each time
    is held to the clock by itself: once the clock has gone back, the older file has the later one.
    """
    try:
        stats = (root.stat(), (root / "log.json").stat())
    except (FileNotFoundError, NotADirectoryError):
        return None
    now = time.time_ns()
    if any(abs(now - found.st_mtime_ns) < TICK_NS for found in stats):
        return None
    return tuple(
        part for found in stats for part in (found.st_ino, found.st_mtime_ns, found.st_size)
    )


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
