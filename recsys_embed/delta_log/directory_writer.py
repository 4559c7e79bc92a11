"""The writer of a log in a directory: how the log is taken, appended to and trimmed."""

import os
import time
from dataclasses import replace
from pathlib import Path

from recsys_embed.delta_log.directory_files import (
    FULL,
    OURS,
    Record,
    entries_in,
    entry_path,
    flocked,
    load_record,
    moment,
    reaching,
    save_record,
    write_parts,
)
from recsys_embed.delta_log.frames import HEADER_BYTES, Frame, dump_frame, load_frame
from recsys_embed.delta_log.state import Base
from recsys_embed.delta_log.writer import Writer, identity, shown
from recsys_embed.errors import (
    DuplicateEntryError,
    FencedError,
    ForeignLogError,
    LogNotFoundError,
    WriterHeldError,
)
from recsys_embed.snapshot.directories import fsync_directory


class DirectoryWriter(Writer):
    """The writer of a `DirectoryLog`; it holds an flock until it is closed or its process ends.

    Concurrency: as `Writer`. A process forked from its own holds the flock as well.
    """

    def __init__(
        self,
        root: Path,
        lock: int,
        writer: str,
        lineage: str,
        token: int,
        number: int,
        last: Frame | None,
    ) -> None:
        super().__init__(lineage, token, number, last)
        self._root = root
        self._held = lock
        self._writer = writer

    def _store(self, frame: Frame, data: bytes) -> None:
        hidden = self._root / f".{frame.number:012d}-{self.token}.writing"
        path = entry_path(self._root, frame.number, self.lineage)
        with reaching(self._root, f"append entry {frame.number} of {len(data):,} bytes to"):
            load_record(self._root)  # a log that is gone is that, and not a missing directory
            write_parts(hidden, dump_frame(frame), data)
            with moment(self._root):
                self._own_record()
                _check_free(path, frame)
                hidden.replace(path)
            fsync_directory(self._root)

    def _own_record(self) -> Record:
        record = load_record(self._root)
        if (record.token, record.writer) != (self.token, self._writer):
            raise FencedError(
                f"{self._root}: expected the token {self.token} of this writer, found"
                f" {record.token} of {shown(record.writer)}, which has taken the log; stop this one"
            )
        return record

    def _trim(self, number: int, base: Base) -> None:
        with reaching(self._root, f"trim entries up to {number} of"), moment(self._root):
            record = self._own_record()
            newest = base if base.number >= record.base.number else record.base
            trimmed = replace(record, trimmed=max(number, record.trimmed), base=newest)
            entries = list(entries_in(self._root, self.lineage, 0).items())
            gone = [path for found, path in entries if found <= number]
            _save(self._root, trimmed, gone)
            for path in gone:
                path.unlink(missing_ok=True)

    def _release(self) -> None:
        os.close(self._held)


def _check_free(path: Path, frame: Frame) -> None:
    """Lets an entry be replaced by itself alone: an error may have come after it was written."""
    if not path.exists():
        return
    with path.open("rb") as file:
        found = load_frame(file.read(HEADER_BYTES), str(path))
    if (found.nbytes, found.data_hash) != (frame.nbytes, frame.data_hash):
        raise DuplicateEntryError(f"{path}: entry {frame.number} is there with other bytes")


def _save(root: Path, record: Record, gone: list[Path]) -> None:
    """Records a trim before the entries go; on a full disk the oldest goes first, to make room."""
    try:
        save_record(root, record)
    except OSError as error:
        if error.errno not in FULL or not gone:
            raise
        gone[0].unlink(missing_ok=True)
        save_record(root, record)


def take(
    root: Path, lineage: str, base: Base, wait_s: float, take_over: bool
) -> tuple[int, int, str]:
    """Makes a new writer the log's; gives the lock that it holds, its token and its identity."""
    deadline = time.monotonic() + wait_s
    while True:
        with moment(root):
            record = _record_or_none(root)
            if take_over or record is None or not _lives(root, record.token):
                return _taken(root, record, lineage, base)
        if time.monotonic() >= deadline:
            raise WriterHeldError(
                f"{root} is held by the writer {shown(record.writer)} with token {record.token};"
                " stop it, wait for it, or open with take_over=True to fence it off"
            )
        time.sleep(0.02)


def _record_or_none(root: Path) -> Record | None:
    try:
        return load_record(root)
    except LogNotFoundError:
        return None


def _lives(root: Path, token: int) -> bool:
    try:
        fd = os.open(_lock_path(root, token), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not flocked(fd)
    finally:
        os.close(fd)


def _taken(root: Path, record: Record | None, lineage: str, base: Base) -> tuple[int, int, str]:
    new = _next_record(root, record, lineage, base)
    fd = os.open(_lock_path(root, new.token), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        flocked(fd)
        if record is None or record.lineage != lineage:  # or what was left would follow the base
            for path in entries_in(root, lineage, -1).values():
                path.unlink(missing_ok=True)
        save_record(root, new)
        _clean(root, new)
    except BaseException:
        os.close(fd)
        raise
    return fd, new.token, new.writer


def _next_record(root: Path, record: Record | None, lineage: str, base: Base) -> Record:
    token = record.token + 1 if record else 1
    if record is None or record.lineage != lineage:
        return Record(lineage, token, identity(), base.number, base)
    number = max(entries_in(root, lineage, record.trimmed), default=record.trimmed)
    if number != base.number:
        raise ForeignLogError(
            f"{root} ends with entry {number} of this lineage, and the base covers entry"
            f" {base.number}: what follows would be a fork; take a new lineage for it"
        )
    newest = base if base.snapshot else record.base
    return replace(record, token=token, writer=identity(), base=newest)


def _clean(root: Path, record: Record) -> None:
    """Removes other lineages, trimmed entries, and what interrupted writers have left."""
    entries = entries_in(root, record.lineage, record.trimmed)
    kept = {*entries.values(), _lock_path(root, record.token)}
    for path in list(root.iterdir()):
        if OURS.fullmatch(path.name) and path not in kept:
            path.unlink(missing_ok=True)


def _lock_path(root: Path, token: int) -> Path:
    return root / f"writer-{token:012d}.lock"
