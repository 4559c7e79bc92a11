"""How an online run begins: anew, from where it was, or as a fork of it."""

import logging
from collections.abc import Callable, Mapping
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
from recsys_embed.snapshot.directories import snapshots_in
from training.online.chain import LEASES, Chain, save_base, take
from training.online.config import OnlineConfig
from training.online.folder import OnlineFolder
from training.online.heads import load_head
from training.online.state import Captured, OnlineState

logger = logging.getLogger(__name__)
# What may differ between the run that stopped and the one that goes on.
ADJUSTABLE = ("publish", "snapshot", "train")
ADJUSTABLE_JOIN = ("memory_mib",)
ADJUSTABLE_SOURCE = (
    "speed", "stop", "url", "servers", "options", "consumer", "group", "timeout_s", "patience_s",
)  # fmt: skip


def begin(
    state: OnlineState,
    log: DeltaLog,
    folder: OnlineFolder,
    *,
    ready: Callable[[], None],
    start: Path | None = None,
    anew: bool = False,
) -> Chain:
    """Brings the state to where it was, if it was anywhere, and takes the log for writing.

    From the newest snapshot of the folder, the entries of the log behind it are made the state's
    own, so that the run goes on exactly where its last entry was; events behind that are read from
    the source again. Where that cannot be, the run goes on from the snapshot and forks: the log
    begins a new lineage, and its followers start from that snapshot.

    Args:
        ready: called once the state is where it will be, before the log is touched; what it
            raises leaves the log as it is.
        start: a snapshot to fork from, in place of the newest.
        anew: whether a log of another trainer may be begun anew.

    Raises:
        ConfigError: if the snapshot is of another config.
        InputError: if the log is of another trainer.
        WriterHeldError: if another trainer holds the log.
        SnapshotError, LogUnavailableError: if one cannot be read or written.
    """
    path, head = start or folder.newest_snapshot(), _head(log)
    left = head.lineage if head else None
    if path is None:
        _refuse_foreign(log, head, set(), anew)
        ready()
        return _fork(state, log, folder, 0, left)
    snapshot = open_snapshot(path)
    _refuse_other_config(snapshot.extra.get("config", {}), state.config)
    entry = snapshot.extra["log"]
    if start is None and head and head.lineage == entry["lineage"]:
        if caught := _catch_up(state, log, folder, snapshot, head, ready):
            return caught
    _refuse_foreign(log, head, {*_named(entry), *_lineages(folder)}, anew)
    _restore(state, snapshot)
    ready()
    return _fork(state, log, folder, entry["number"], left or entry["lineage"])


def _head(log: DeltaLog) -> Head | None:
    try:
        return log.head()
    except LogNotFoundError:
        return None


def _fork(
    state: OnlineState, log: DeltaLog, folder: OnlineFolder, number: int, left: str | None
) -> Chain:
    lineage, base = save_base(
        folder.snapshots, state.tables, state.capture(), state.config, number=number, left=left
    )
    return take(log, lineage, base, state.config, None)


def _catch_up(
    state: OnlineState,
    log: DeltaLog,
    folder: OnlineFolder,
    snapshot: Snapshot,
    head: Head,
    ready: Callable[[], None],
) -> Chain | None:
    """Goes on at the log's head; None if something is missing for that, and then says so."""
    entry = snapshot.extra["log"]
    base = Base(entry["number"], str(snapshot.path.resolve()))
    captured = load_head(folder.heads, head.lineage, head.number)
    if head.number == base.number:
        captured = _captured(snapshot)
    if head.number < base.number or captured is None:
        missing = "before it" if head.number < base.number else f"and {folder.heads} has no head"
        logger.warning(
            "going on from %s as a fork: %s ends with entry %d, %s",
            snapshot.path, log, head.number, missing,
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
    ready()
    wait_s = LEASES * state.config.publish.lease_s
    writer = log.open_writer(head.lineage, base=base, number=head.number, wait_s=wait_s)
    return Chain(log, writer, head.number, base)


def _restore(state: OnlineState, snapshot: Snapshot) -> None:
    state.take_tables({name: snapshot.tables[name].restore() for name in state.tables})
    state.restore(_captured(snapshot))


def _captured(snapshot: Snapshot) -> Captured:
    return Captured(dict(snapshot.dense), snapshot.extra["position"])


def _named(entry: Mapping[str, Any]) -> set[str]:
    """The lineages that a snapshot knows: its own, and the one that it was to take the log from."""
    return {entry["lineage"], entry["from"]} if "from" in entry else {entry["lineage"]}


def _lineages(folder: OnlineFolder) -> set[str]:
    """The lineages of this run, as far back as its snapshots go."""
    known = set[str]()
    for path in snapshots_in(folder.snapshots).values() if folder.snapshots.exists() else ():
        known |= _named(open_snapshot(path, verify=False).extra["log"])
    return known


def _refuse_foreign(log: DeltaLog, head: Head | None, ours: set[str], anew: bool) -> None:
    if head and head.lineage not in ours and not anew:
        raise InputError(
            f"{log} is another run's: its lineage {head.lineage} has entries up to {head.number},"
            " and nothing here came from it. Name another publish.log, run in the folder of that"
            " run, or let --anew begin the log anew"
        )


def _refuse_other_config(saved: dict[str, Any], config: OnlineConfig) -> None:
    now, then = fixed(to_dict(config)), fixed(saved)
    differing = [key for key in now if now[key] != then.get(key)]
    if differing:
        raise ConfigError(
            f"the snapshot is of a run with other values of {', '.join(differing)}; go on with the"
            " same config, or begin anew in another --output"
        )


def fixed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the values that must stay while a run goes on, by their dotted names."""
    source, join = config.get("source", {}), config.get("join", {})
    rest = {key: config[key] for key in config if key not in (*ADJUSTABLE, "source", "join")}
    rest |= {f"join.{key}": join[key] for key in join if key not in ADJUSTABLE_JOIN}
    rest |= {f"source.{key}": source[key] for key in source if key not in ADJUSTABLE_SOURCE}
    if source.get("outcome_after_s") is not None:  # records count, and stop decides which there are
        rest["source.stop"] = source.get("stop")
    return rest
