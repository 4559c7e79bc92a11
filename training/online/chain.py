"""The trainer's end of a delta log: one lineage, its last entry, and how a new one begins."""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar
from uuid import uuid4

from recsys_embed.config import to_dict
from recsys_embed.cut import Cut
from recsys_embed.delta_log import Base, DeltaLog, Writer
from recsys_embed.errors import LogUnavailableError, RecsysEmbedError
from recsys_embed.snapshot import write_snapshot
from recsys_embed.table import CollisionlessTable
from training.online.config import OnlineConfig
from training.online.state import Captured

logger = logging.getLogger(__name__)
T = TypeVar("T")
AGAIN_S = (0.05, 1.0)  # first and longest wait before a log is tried again
SAY_EVERY_S = 60.0
LEASES = 1.5  # a trainer that was killed lets go after one


@dataclass
class Chain:
    """A writer that follows its trainer's state.

    Args:
        log: that is written.
        writer: which holds it.
        number: the last entry whose changes were taken; the writer may be one behind.
        base: the newest snapshot that the log knows of.
    """

    log: DeltaLog
    writer: Writer
    number: int
    base: Base

    @property
    def lineage(self) -> str:
        """Of the entries."""
        return self.writer.lineage


Tables = Mapping[str, CollisionlessTable] | Mapping[str, Cut]


def save(
    root: Path, tables: Tables, captured: Captured, config: OnlineConfig, entry: Mapping[str, Any]
) -> Path:
    """Writes a snapshot that is the state at an entry of a log.

    Args:
        entry: `lineage` and `number`; and `from`, the lineage that was left for this one, if any.

    Raises:
        SnapshotError: if it cannot be written.
    """
    extra = {"config": to_dict(config), "position": captured.position, "log": dict(entry)}
    how = config.snapshot
    path = write_snapshot(
        root,
        tables,
        dense=captured.arrays,
        extra=extra,
        shards=how.shards,
        keep=how.keep,
        threads=how.threads,
    )
    return path.resolve()


def save_base(
    root: Path,
    tables: Tables,
    captured: Captured,
    config: OnlineConfig,
    *,
    number: int,
    left: str | None,
) -> tuple[str, Base]:
    """Writes the snapshot that a new lineage begins behind; gives both.

    Args:
        number: of the entry that the snapshot stands for.
        left: the lineage that the log has until then, if any.

    Raises:
        SnapshotError: if it cannot be written.
    """
    lineage = str(uuid4())
    entry = {"lineage": lineage, "number": number} | ({"from": left} if left else {})
    return lineage, Base(number, str(save(root, tables, captured, config, entry)))


def take(
    log: DeltaLog, lineage: str, base: Base, config: OnlineConfig, is_stopping: Event | None
) -> Chain:
    """Begins a log anew behind a snapshot, which is removed if that cannot be.

    Args:
        is_stopping: a log that cannot be reached is tried again until it is set; None: not at all.

    Raises:
        WriterHeldError: if another trainer holds the log.
        LogUnavailableError: if the log cannot be reached.
    """
    wait_s = LEASES * config.publish.lease_s
    try:
        writer = until_reached(
            lambda: log.open_writer(lineage, base=base, wait_s=wait_s), is_stopping
        )
    except BaseException:
        shutil.rmtree(base.snapshot)
        raise
    return Chain(log, writer, base.number, base)


def until_reached(call: Callable[[], T], is_stopping: Event | None) -> T:
    """Calls until the disk or the server takes it; gives up once the run is stopping.

    With None it is called once.

    Raises:
        LogUnavailableError, OSError: of the last attempt, if the run is stopping.
    """
    wait_s, longest_s = AGAIN_S
    said_s = float("-inf")
    while True:
        try:
            return call()
        except (LogUnavailableError, OSError) as error:
            if is_stopping is None or is_stopping.is_set():
                raise
            if time.monotonic() >= said_s + SAY_EVERY_S:
                said_s = time.monotonic()
                logger.warning("%s; trying until it can be done", error)
        is_stopping.wait(wait_s)
        wait_s = min(2 * wait_s, longest_s)


def let_go(chain: Chain) -> None:
    """Closes the writer; a log that cannot be told finds out by itself."""
    with contextlib.suppress(RecsysEmbedError):
        chain.writer.close()
