"""How a writer takes a log in a directory: the lock of its token, then the record, then order."""

import os
import time
from dataclasses import replace
from pathlib import Path

from recsys_embed.delta_log.directory_files import OURS, entries_in, flocked, moment
from recsys_embed.delta_log.directory_record import Record, load_record, save_record
from recsys_embed.delta_log.state import Start
from recsys_embed.delta_log.writer import identity, shown
from recsys_embed.errors import ForeignLogError, LogNotFoundError, WriterHeldError


def take(root: Path, start: Start, wait_s: float, take_over: bool) -> tuple[int, int, str]:
    """Makes a new writer the log's; gives the lock that it holds, its token and its identity."""
    deadline = time.monotonic() + wait_s
    while True:
        with moment(root):
            record = _record_or_none(root)
            if take_over or record is None or not _lives(root, record.token):
                return _taken(root, record, start)
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


def _taken(root: Path, record: Record | None, start: Start) -> tuple[int, int, str]:
    new = _next_record(root, record, start)
    fd = os.open(_lock_path(root, new.token), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        flocked(fd)
        if record is None or record.lineage != new.lineage:  # or what was left would follow
            for path in entries_in(root, new.lineage, -1).values():
                path.unlink(missing_ok=True)
        save_record(root, new)
        _clean(root, new)
    except BaseException:
        os.close(fd)
        raise
    return fd, new.token, new.writer


def _next_record(root: Path, record: Record | None, start: Start) -> Record:
    token, base = record.token + 1 if record else 1, start.base
    if record is None or record.lineage != start.lineage:
        start.refuse_beyond_base(str(root))
        return Record(start.lineage, token, identity(), base.number, base)
    head = max(entries_in(root, start.lineage, record.trimmed), default=record.trimmed)
    if head != start.number:
        raise ForeignLogError(start.fork(str(root), head))
    newest = base if base.snapshot and base.number >= record.base.number else record.base
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
