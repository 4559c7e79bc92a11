"""Snapshots written while training goes on: streamed, in parallel, durable, all or nothing."""

import contextlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recsys_embed.arrays import as_array
from recsys_embed.cut import Cut
from recsys_embed.errors import InputError, SnapshotError
from recsys_embed.snapshot.directories import (
    clean,
    locked,
    make_root,
    new_snapshot,
    prune,
    snapshots_in,
    write_durably,
)
from recsys_embed.snapshot.files import Progress, write_files
from recsys_embed.snapshot.format import MANIFEST
from recsys_embed.snapshot.manifest import dump_manifest
from recsys_embed.snapshot.plans import plan_arrays, plan_snapshot
from recsys_embed.table import CollisionlessTable
from recsys_embed.threads import num_threads


def write_snapshot(
    root: Path | str,
    tables: Mapping[str, CollisionlessTable] | Mapping[str, Cut],
    *,
    dense: Mapping[str, NDArray[Any]] | None = None,
    extra: Mapping[str, Any] | None = None,
    shards: int = 1,
    keep: int = 3,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes all rows of all tables at one moment of each as a new snapshot, or leaves no trace.

    The rows stream to disk a few MiB a thread at a time while other threads train on. The snapshot
    becomes visible by one rename after every byte is on disk: whatever happens before (an error, a
    full disk, kill -9, a power cut), the snapshots before it stay as they are. What an interrupted
    save has left is removed by the next one. One save at a time may write into a root.

    Args:
        root: directory of snapshots; created if absent.
        tables: tables, whose cuts are taken one right after the other before anything is written;
            or unread cuts of your own (for one moment across tables), which stay open.
        dense: further arrays, such as the weights of the dense layers.
        extra: further values of plain JSON types.
        shards: files a table is split into, at least 1; they are written in parallel.
        keep: snapshots to keep, the new one included, at least 1; older ones are removed.
        threads: that write; all of the library's if None. Fewer disturb training less.
        progress: called with (bytes written, bytes in all) after each block, in any of the threads.

    Returns:
        The directory of the snapshot, `root/snapshot-<number, 12 digits>`.

    Raises:
        InputError: for an argument that cannot be written, before anything is.
        SnapshotError: if the system refuses (a full disk, say), or another save is under way.

    Example:
        >>> import tempfile, numpy as np
        >>> from recsys_embed import CollisionlessTable, TableConfig
        >>> table = CollisionlessTable(TableConfig.of("item", 4))
        >>> table.assign(np.array([7]), np.ones((1, 4), np.float32))
        >>> write_snapshot(tempfile.mkdtemp(), {"item": table}).name
        'snapshot-000000000001'
    """
    root, arrays = Path(root), {name: as_array(array) for name, array in (dense or {}).items()}
    plan_arrays("dense", arrays)  # refuses what no file can hold before anything is written
    _check(shards, keep, threads, extra or {})
    num_bytes = 0
    try:
        make_root(root)
        with locked(root), contextlib.ExitStack() as stack:
            clean(root)
            cuts = {name: _cut(table, stack) for name, table in tables.items()}
            plan = plan_snapshot(cuts, arrays, shards)
            number, num_bytes = max(snapshots_in(root), default=0) + 1, plan.num_bytes
            with new_snapshot(root, number) as directory:
                written = write_files(directory, plan.files, threads or num_threads(), progress)
                manifest = plan.manifest(number, extra or {}, written)
                write_durably(directory / MANIFEST, dump_manifest(manifest))
            prune(root, keep)
    except OSError as error:
        raise SnapshotError(
            f"cannot write a snapshot of {num_bytes:,} bytes into {root}: {error.strerror}"
            f" ({_free(root)}); the snapshots before it are untouched"
        ) from error
    return root / f"snapshot-{number:012d}"


def _check(shards: int, keep: int, threads: int | None, extra: Mapping[str, Any]) -> None:
    if shards < 1 or keep < 1 or (threads is not None and threads < 1):
        raise InputError(
            f"shards, keep and threads must be at least 1, got shards={shards}, keep={keep},"
            f" threads={threads}"
        )
    try:
        is_plain = json.loads(json.dumps(dict(extra), allow_nan=False)) == extra
    except (TypeError, ValueError) as error:
        raise InputError(f"extra must be of plain JSON types: {error}") from None
    if not is_plain:
        raise InputError(
            "extra must be of plain JSON types; it holds tuples or keys that are not strings"
        )


def _cut(table: CollisionlessTable | Cut, stack: contextlib.ExitStack) -> Cut:
    return stack.enter_context(table.cut()) if isinstance(table, CollisionlessTable) else table


def _free(root: Path) -> str:
    try:
        return f"{shutil.disk_usage(root).free:,} bytes are free"
    except OSError:
        return "how many are free is unknown"
