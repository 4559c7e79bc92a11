"""The writer of a log in a directory: how the log is taken, appended to and trimmed."""

import os
from dataclasses import replace
from pathlib import Path

from recsys_embed.delta_log.directory_files import (
    FULL,
    entries_in,
    entry_path,
    moment,
    reaching,
    write_parts,
)
from recsys_embed.delta_log.directory_record import Record, load_record, save_record
from recsys_embed.delta_log.frames import HEADER_BYTES, Frame, dump_frame, load_frame
from recsys_embed.delta_log.state import Base
from recsys_embed.delta_log.writer import Writer, shown
from recsys_embed.errors import (
    DuplicateEntryError,
    FencedError,
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
