"""What a log holds and who is how far behind, for programs and for people."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from recsys_embed.delta_log.protocol import DeltaLog
from recsys_embed.delta_log.state import Head, Lag
from recsys_embed.delta_log.writer import shown
from recsys_embed.errors import DamagedEntryError, DuplicateEntryError, ForeignLogError, GapError

SHOWN = 10


def summary(log: DeltaLog, verify: bool) -> dict[str, Any]:
    """Says what is in a log; with `verify` every entry is read and held to its checksums.

    Raises:
        LogNotFoundError, LogUnavailableError: if there is no log, or it cannot be reached.
        DamagedEntryError: if the log's own record is damaged; damage to entries is in the summary.
    """
    head = log.head()
    entries = list[dict[str, Any]]()
    damage = _damage(log, head, entries, verify)
    return {
        "log": str(log),
        "lineage": head.lineage,
        "number": head.number,
        "trimmed": head.trimmed,
        "base": {"number": head.base.number, "snapshot": head.base.snapshot},
        "token": head.token,
        "writer": shown(head.writer),
        "bytes": sum(entry["bytes"] for entry in entries),
        "entries": entries,
        "damage": damage,
        "replicas": {name: _replica(lag) for name, lag in log.lags().items()},
    }


def _damage(log: DeltaLog, head: Head, entries: list[dict[str, Any]], verify: bool) -> str | None:
    """Fills in the entries up to the first bad one, and tells what is bad about it."""
    read = log.read(head.trimmed, lineage=head.lineage)
    frames = (entry.frame for entry in read) if verify else log.frames(head.trimmed)
    try:
        for frame in frames:
            created = {"created": _moment(frame.created_s), "age_s": _age(frame.created_s)}
            sizes = {"number": frame.number, "prev": frame.prev, "bytes": frame.nbytes}
            entries.append({**sizes, "token": frame.token, **created})
    except (DamagedEntryError, DuplicateEntryError, ForeignLogError, GapError) as error:
        return str(error)
    return None


def _replica(lag: Lag) -> dict[str, Any]:
    ack = {"lineage": lag.ack.lineage, "number": lag.ack.number, "heard": _moment(lag.ack.time_s)}
    return {**ack, "lag_entries": lag.entries, "lag_s": lag.seconds}


def report(summary: Mapping[str, Any]) -> str:
    """Spells what `summary` found."""
    return "\n".join(line.rstrip() for line in _lines(summary))


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    base, entries = summary["base"], summary["entries"]
    yield f"{summary['log']}"
    yield f"  lineage    {summary['lineage']}"
    yield f"  head       entry {summary['number']}, {_covered(base)}"
    yield f"  entries    {len(entries)} of {summary['bytes']:,} bytes; {_gone(summary['trimmed'])}"
    yield f"  writer     {summary['writer']} with token {summary['token']}"
    if summary["damage"]:
        yield f"  DAMAGED    {summary['damage']}"
    if entries:
        yield ""
        yield f"{'entry':>14}  {'bytes':>15}  {'token':>6}  written"
        if len(entries) > SHOWN:
            yield f"{'...':>14}  {len(entries) - SHOWN} older, which --json lists"
        yield from (_entry(entry) for entry in entries[-SHOWN:])
    if summary["replicas"]:
        yield ""
        yield f"{'replica':>14}  {'has entry':>15}  {'behind':>6}  waiting"
        yield from (_standing(name, found) for name, found in summary["replicas"].items())


def _covered(base: Mapping[str, Any]) -> str:
    if not base["snapshot"]:
        return "no snapshot covers any of it yet"
    return f"snapshot {base['snapshot']} covers up to entry {base['number']}"


def _gone(trimmed: int) -> str:
    return f"those up to {trimmed} are trimmed" if trimmed else "none trimmed"


def _entry(entry: Mapping[str, Any]) -> str:
    number = str(entry["number"])
    if entry["prev"] != entry["number"] - 1:
        number = f"{entry['prev'] + 1} to {number}"
    when = f"{entry['created']}, {_seconds(entry['age_s'])} ago"
    return f"{number:>14}  {entry['bytes']:>15,}  {entry['token']:>6}  {when}"


def _standing(name: str, found: Mapping[str, Any]) -> str:
    front = f"{name:>14}  {found['number']:>15}"
    if found["lag_entries"] is None:
        return f"{front}  {'?':>6}  of lineage {found['lineage']}: must begin from a snapshot"
    heard = f"heard {found['heard']}"
    return f"{front}  {found['lag_entries']:>6}  {_seconds(found['lag_s'])}, {heard}"


def _moment(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _age(unix_s: float) -> float:
    return max(0.0, time.time() - unix_s)


def _seconds(seconds: float) -> str:
    """Spells a span with the unit that suits it.

    Example:
        >>> [_seconds(s) for s in (0, 1.25, 90, 7200, 200_000)]
        ['0.0 s', '1.2 s', '90 s', '120 min', '55.6 h']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 36_000 else f"{seconds / 3600:.1f} h"
