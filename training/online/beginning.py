"""How an online run begins: anew, from where it was, or as a fork of it."""

import logging
from pathlib import Path
from typing import Any

from recsys_embed.config import to_dict
from recsys_embed.delta_log import Base, DeltaLog, Head
from recsys_embed.deltas import apply, decode
from recsys_embed.errors import (
    ConfigError,
    DeltaError,
    DeltaLogError,
    InputError,
    LogNotFoundError,
    LogUnavailableError,
)
from recsys_embed.snapshot import Snapshot, open_snapshot
from training.online.chain import LEASES, Chain, begin_lineage
from training.online.config import OnlineConfig
from training.online.folder import OnlineFolder
from training.online.heads import load_head
from training.online.state import Captured, OnlineState

logger = logging.getLogger(__name__)
# What may differ between the run that stopped and the one that goes on.
ADJUSTABLE = ("publish", "snapshot", "train")
ADJUSTABLE_SOURCE = ("speed", "stop", "url", "servers", "options", "consumer", "group")


def begin(
    state: OnlineState,
    log: DeltaLog,
    folder: OnlineFolder,
    *,
    start: Path | None = None,
    anew: bool = False,
) -> Chain:
    """Brings the state to where it was, if it was anywhere, and takes the log for writing.

    From the newest snapshot of the folder, the entries of the log behind it are made the state's
    own, so that the run goes on exactly where its last entry was; events behind that are read from
    the source again. Where that cannot be, the run goes on from the snapshot and forks: the log
    begins a new lineage, and its followers start from that snapshot.

    Args:
        start: a snapshot to fork from, in place of the newest.
        anew: whether a log of another trainer may be begun anew.

    Raises:
        ConfigError: if the snapshot is of another config.
        InputError: if the log is of another trainer.
        WriterHeldError: if another trainer holds the log.
        SnapshotError, LogUnavailableError: if one cannot be read or written.
    """
    path, head = start or folder.newest_snapshot(), _head(log)
    if path is None:
        _refuse_foreign(log, head, (), anew)
        return _fork(state, log, folder, 0, None)
    snapshot = open_snapshot(path)
    _refuse_other_config(snapshot.extra.get("config", {}), state.config)
    entry = snapshot.extra["log"]
    if start is None and head and head.lineage == entry["lineage"]:
        if caught := _catch_up(state, log, folder, snapshot, head):
            return caught
    _refuse_foreign(log, head, (entry["lineage"], entry.get("from")), anew)
    _restore(state, snapshot)
    return _fork(state, log, folder, entry["number"], entry["lineage"])


def _head(log: DeltaLog) -> Head | None:
    try:
        return log.head()
    except LogNotFoundError:
        return None


def _fork(
    state: OnlineState, log: DeltaLog, folder: OnlineFolder, number: int, left: str | None
) -> Chain:
    return begin_lineage(
        log,
        folder.snapshots,
        state.tables,
        state.capture(),
        state.config,
        number=number,
        left=left,
    )


def _catch_up(
    state: OnlineState, log: DeltaLog, folder: OnlineFolder, snapshot: Snapshot, head: Head
) -> Chain | None:
    """Goes on at the log's head; None if something is missing for that, and then says so."""
    entry = snapshot.extra["log"]
    base = Base(entry["number"], str(snapshot.path.resolve()))
    captured = load_head(folder.heads, head.lineage, head.number)
    if head.number == base.number:
        captured = _captured(snapshot)
    if head.number < base.number or captured is None:
        logger.warning(
            "%s ends with entry %d, for which %s has no head: going on from %s, as a fork",
            log, head.number, folder.heads, snapshot.path,
        )  # fmt: skip
        return None
    _restore(state, snapshot)
    try:
        for found in log.read(base.number, lineage=head.lineage):
            apply(decode(found.data), state.tables)
    except LogUnavailableError:
        raise
    except (DeltaLogError, DeltaError) as error:
        logger.warning("%s: going on from %s, as a fork", error, snapshot.path)
        return None
    state.restore(captured)
    wait_s = LEASES * state.config.publish.lease_s
    writer = log.open_writer(head.lineage, base=base, number=head.number, wait_s=wait_s)
    return Chain(log, writer, head.number, base)


def _restore(state: OnlineState, snapshot: Snapshot) -> None:
    state.take_tables({name: snapshot.tables[name].restore() for name in state.tables})
    state.restore(_captured(snapshot))


def _captured(snapshot: Snapshot) -> Captured:
    return Captured(dict(snapshot.dense), snapshot.extra["position"])


def _refuse_foreign(
    log: DeltaLog, head: Head | None, ours: tuple[str | None, ...], anew: bool
) -> None:
    if head and head.lineage not in ours and not anew:
        raise InputError(
            f"{log} is another run's: its lineage {head.lineage} has entries up to {head.number},"
            " and nothing here came from it. Name another publish.log, run in the folder of that"
            " run, or let --anew begin the log anew"
        )


def _refuse_other_config(saved: dict[str, Any], config: OnlineConfig) -> None:
    now = to_dict(config)
    differing = [key for key in now if key not in (*ADJUSTABLE, "source")]
    differing = [key for key in differing if now[key] != saved.get(key)]
    source, before = now["source"], saved.get("source", {})
    names = [key for key in source if key not in ADJUSTABLE_SOURCE]
    differing += [f"source.{key}" for key in names if source[key] != before.get(key)]
    if differing:
        raise ConfigError(
            f"the snapshot is of a run with other values of {', '.join(differing)}; go on with the"
            " same config, or begin anew in another --output"
        )
