"""A delta log in a directory: the embedded transport, an entry a file."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from recsys_embed.delta_log.directory_files import (
    Stamp,
    entries_in,
    reaching,
    replace_file,
    stamp,
)
from recsys_embed.delta_log.directory_record import Record, load_record
from recsys_embed.delta_log.directory_taking import take
from recsys_embed.delta_log.directory_writer import DirectoryWriter
from recsys_embed.delta_log.frames import HEADER_BYTES, Frame, load_frame
from recsys_embed.delta_log.protocol import DeltaLog
from recsys_embed.delta_log.reading import Stored
from recsys_embed.delta_log.state import (
    EMPTY,
    Ack,
    Base,
    Head,
    Start,
    checked_lineage,
    checked_replica,
    load_ack,
)
from recsys_embed.snapshot.directories import make_root


class DirectoryLog(DeltaLog):
    """A log in a directory of a local file system; `docs/formats.md` has the layout.

    Every entry is a file that appears whole by one rename after it is on disk. A writer holds an
    flock while it lives, so that one killed is succeeded at once. Readers take no lock.

    Concurrency: as `DeltaLog`. The name of a replica belongs to one reader at a time.

    Example:
        >>> import tempfile, uuid
        >>> lineage = str(uuid.uuid4())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = DirectoryLog(folder)
        ...     with log.open_writer(lineage) as writer:
        ...         writer.append(1, 0, b"rows")
        ...     [(entry.number, entry.data) for entry in log.read(0, lineage=lineage)]
        [(1, b'rows')]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._known: tuple[Stamp | None, Head] | None = None  # the head, and when it was read

    def __str__(self) -> str:
        return str(self.path)

    def head(self) -> Head:
        with reaching(self.path, "read"):
            known, now = self._known, stamp(self.path)
            if known is None or now is None or known[0] != now:
                known = (now, self._read_head())
                self._known = known
            return known[1]

    def _read_head(self) -> Head:
        record = load_record(self.path)
        while True:
            numbers = entries_in(self.path, record.lineage, record.trimmed)
            again = load_record(self.path)
            if again == record:
                return _head(record, max(numbers, default=record.trimmed))
            record = again  # it was trimmed or begun anew meanwhile

    def open_writer(
        self,
        lineage: str,
        *,
        base: Base = EMPTY,
        number: int | None = None,
        wait_s: float = 0.0,
        take_over: bool = False,
    ) -> DirectoryWriter:
        start = Start.of(lineage, base, number)
        with reaching(self.path, "begin or open the log"):
            make_root(self.path)
            (self.path / "replicas").mkdir(exist_ok=True)
            lock, token, writer = take(self.path, start, wait_s, take_over)
            head = self.head().number
            last = next(self.frames(head - 1), None)
            return DirectoryWriter(self.path, lock, writer, start.lineage, token, head, last)

    def acknowledge(self, replica: str, number: int, *, lineage: str) -> None:
        values = asdict(Ack(checked_lineage(lineage), number, time.time()))
        with reaching(self.path, "acknowledge in"):
            load_record(self.path)
            path = self.path / "replicas" / f"{checked_replica(replica)}.json"
            replace_file(path, json.dumps(values).encode())

    def replicas(self) -> dict[str, Ack]:
        with reaching(self.path, "read"):
            found = sorted((self.path / "replicas").glob("[!.]*.json"))
            return {path.stem: load_ack(path.read_bytes(), str(path)) for path in found}

    def forget(self, replica: str) -> None:
        with reaching(self.path, "forget a replica in"):
            path = self.path / "replicas" / f"{checked_replica(replica)}.json"
            path.unlink(missing_ok=True)

    def frames(self, after: int) -> Iterator[Frame]:
        for found in self._stored(after, 0):
            yield load_frame(found.header, f"entry {found.number} of {self}")

    def stored(self, after: int) -> Iterator[Stored]:
        return self._stored(after, -1)

    def close(self) -> None:
        pass

    def _stored(self, after: int, nbytes: int) -> Iterator[Stored]:
        """Reads entries with at most so many bytes of their data; ends at one that is gone."""
        with reaching(self.path, "read"):
            record = load_record(self.path)
            entries = entries_in(self.path, record.lineage, max(after, record.trimmed))
        for number, path in entries.items():
            with reaching(self.path, f"read entry {number} of"):
                try:
                    with path.open("rb", buffering=0) as file:  # a buffer would copy it all again
                        found = Stored(number, file.read(HEADER_BYTES), file.read(nbytes))
                except FileNotFoundError:
                    return
            yield found


def _head(record: Record, number: int) -> Head:
    return Head(record.lineage, number, record.token, record.trimmed, record.base, record.writer)
