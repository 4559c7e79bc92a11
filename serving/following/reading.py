"""What a follower reads: the snapshot to begin from, and the entries behind it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from recsys_embed.delta_log import Base, DeltaLog, Entry
from recsys_embed.deltas import Delta, decode
from recsys_embed.errors import (
    DeltaError,
    DeltaLogError,
    LogNotFoundError,
    LogUnavailableError,
    SnapshotError,
    SnapshotNotFoundError,
)
from recsys_embed.layers import LayeredTables
from recsys_embed.snapshot import open_snapshot
from serving.lookup import LookupService

PASSING = (LogNotFoundError, LogUnavailableError, OSError, SnapshotError)
AT_ONCE, AT_ONCE_BYTES = 256, 64 << 20


def open_warm(base: Base, lineage: str, folder: Path | None) -> LayeredTables:
    """Opens the snapshot that a log's base names, every byte checked, every table asked.

    Args:
        base: of the log.
        lineage: of the log.
        folder: where the snapshot is looked for, by its name, if it is not at its path.

    Raises:
        SnapshotError: if there is none, it is damaged, or it is not the one that the log means.
    """
    if not base.snapshot:
        raise SnapshotNotFoundError(
            "the log names no snapshot to begin from; its trainer has yet to write one"
        )
    tables = LayeredTables.of(open_snapshot(_place(Path(base.snapshot), folder)))
    if (tables.lineage, tables.number) != (lineage, base.number):
        raise SnapshotError(
            f"{base.snapshot}: expected the snapshot of entry {base.number} of {lineage}, found"
            f" that of entry {tables.number} of {tables.lineage}"
        )
    LookupService(tables.tables, "", 0.0).warm_up()
    return tables


def _place(named: Path, folder: Path | None) -> Path:
    if folder is None or named.exists():
        return named
    return folder if folder.name == named.name else folder / named.name


def waiting(log: DeltaLog, after: int, lineage: str, wait_s: float) -> list[Entry]:
    """Gives the entries that wait, but no more than are worth taking together: 256, or 64 MiB.

    There is none if none comes in time.

    Raises:
        DeltaLogError: as `DeltaLog.read`, if the very first is not to be had.
    """
    found, nbytes = list[Entry](), 0
    try:
        for entry in islice(_up_to_head(log, after, lineage, wait_s), AT_ONCE):
            found.append(entry)
            nbytes += entry.frame.nbytes
            if nbytes >= AT_ONCE_BYTES:
                break
    except DeltaLogError:
        if not found:
            raise  # else it is met again, as the first
    return found


def _up_to_head(log: DeltaLog, after: int, lineage: str, wait_s: float) -> Iterator[Entry]:
    entries = log.read(after, lineage=lineage, wait_s=wait_s)
    head = 0
    for entry in entries:
        yield entry
        head = head or log.head().number
        if entry.number >= head:
            return


def decoded(entry: Entry) -> Delta:
    """Reads the delta of an entry.

    Raises:
        DeltaError: if it is damaged, or not the delta of this entry.
    """
    delta, frame = decode(entry.data), entry.frame
    found = (delta.lineage, delta.prev, delta.number)
    if found != (frame.lineage, frame.prev, frame.number):
        raise DeltaError(
            f"entry {frame.number}: expected the delta in ({frame.prev}, {frame.number}] of"
            f" {frame.lineage}, found the one in ({found[1]}, {found[2]}] of {found[0]}"
        )
    return delta
