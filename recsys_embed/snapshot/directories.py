"""Directories of snapshots: numbered, completed by one rename, kept or removed whole.

root/snapshot-000000000041/            complete
root/snapshot-000000000042/            complete, the newest
root/.snapshot-000000000043.writing/   a save under way, or one that was interrupted
root/.snapshot-000000000040.removing/  a removal under way, or one that was interrupted
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from recsys_embed.errors import SnapshotError, SnapshotNotFoundError
from recsys_embed.snapshot.format import MANIFEST

logger = logging.getLogger(__name__)
COMPLETE = re.compile(r"snapshot-(\d{12})")
UNFINISHED = re.compile(r"\.snapshot-\d{12}\.(writing|removing)")


def snapshots_in(root: Path) -> dict[int, Path]:
    """Finds the snapshots of a root by number, oldest first; a copy under way may be among them."""
    named = ((COMPLETE.fullmatch(path.name), path) for path in root.iterdir())
    return dict(sorted((int(match[1]), path) for match, path in named if match))


def find_snapshot(path: Path) -> Path:
    """Gives the snapshot at `path`: itself, or the newest complete one in it.

    Raises:
        SnapshotNotFoundError: if there is none.
    """
    if not path.is_dir():
        raise SnapshotNotFoundError(
            f"{path} is not a directory; expected a snapshot or a directory of snapshots"
        )
    if (path / MANIFEST).exists() or COMPLETE.fullmatch(path.name):
        return path
    complete = [found for found in snapshots_in(path).values() if (found / MANIFEST).exists()]
    if not complete:
        raise SnapshotNotFoundError(
            f"{path} holds no complete snapshot; expected directories like"
            f" {path / 'snapshot-000000000001'} with a {MANIFEST}"
        )
    return complete[-1]


def locked(root: Path) -> contextlib.AbstractContextManager[None]:
    """Holds a root for one save at a time.

    Raises:
        SnapshotError: if another save holds it.
    """
    return held(
        root,
        SnapshotError(
            f"another save into {root} is under way; wait for it or choose another directory"
        ),
    )


@contextlib.contextmanager
def held(folder: Path, refusal: Exception) -> Iterator[None]:
    """Holds a folder alone; the system lets go of it when the process dies.

    Raises:
        Exception: `refusal`, if another holds it.
    """
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def new_snapshot(root: Path, number: int) -> Iterator[Path]:
    """Gives a hidden directory that becomes snapshot `number` when the block ends, or else goes.

    The caller brings every file in it to disk; the directories and the rename are seen to here.
    """
    hidden, final = root / f".snapshot-{number:012d}.writing", root / f"snapshot-{number:012d}"
    hidden.mkdir()
    try:
        yield hidden
        for directory, _, _ in os.walk(hidden, topdown=False):
            fsync_directory(Path(directory))
        hidden.rename(final)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    fsync_directory(root)


def make_root(root: Path) -> None:
    """Creates a root and the directories above it, and brings their names to disk."""
    missing = [path for path in (root, *root.parents) if not path.exists()]
    root.mkdir(parents=True, exist_ok=True)
    for path in missing:
        fsync_directory(path.parent)


def clean(root: Path) -> None:
    """Removes what interrupted saves and removals have left; call it while the root is locked."""
    for path in root.iterdir():
        if UNFINISHED.fullmatch(path.name):
            shutil.rmtree(path)


def prune(root: Path, keep: int) -> None:
    """Removes all but the newest `keep` snapshots; each vanishes by one rename, then for good.

    The new snapshot stands already, so that what cannot be removed is a warning, not an error.
    """
    for number, path in list(snapshots_in(root).items())[:-keep]:
        hidden = root / f".snapshot-{number:012d}.removing"
        try:
            path.rename(hidden)
            shutil.rmtree(hidden)
        except OSError as error:
            logger.warning("cannot remove the old snapshot %s: %s", path, error)


def fsync_directory(path: Path) -> None:
    """Brings a directory's entries to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, data: bytes) -> None:
    """Writes a small file and brings it to disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
