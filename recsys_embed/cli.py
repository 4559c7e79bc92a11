"""`recsys-embed`: looks into snapshots and delta logs from the command line."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recsys_embed.delta_log import report as log_report
from recsys_embed.delta_log.places import open_log
from recsys_embed.errors import ConfigError, DeltaLogError, SnapshotError
from recsys_embed.snapshot.inspect import summary
from recsys_embed.snapshot.reader import open_snapshot
from recsys_embed.snapshot.report import report

DESCRIPTION = """\
Looks into snapshots of embedding tables and into the logs of their changes.

A snapshot is a directory snapshot-<number> with a manifest.json and safetensors files; where DIR
is a directory of snapshots, the newest complete one is taken. A delta log carries changes from a
trainer to its replicas, in a directory or in Redis. docs/formats.md has the formats."""
EXAMPLES = """\
examples:
  recsys-embed inspect runs/shop/snapshots
      tables, rows, bytes, configs, and bars of how long ago rows were last seen and how often
  recsys-embed inspect runs/shop/snapshots --json | jq '.tables.item.rows'
      the same for programs
  recsys-embed verify runs/shop/snapshots/snapshot-000000000012
      reads every byte and compares all checksums; exit status 1 if anything is damaged
  recsys-embed log runs/shop/log
  recsys-embed log redis://localhost:6379/shop --json | jq '.replicas[].lag_s'
      entries and their sizes, lineage, writer, and which replica is how far behind"""
LOG = """\
Shows the entries of a delta log, their sizes, its lineage and writer, and its replicas' lag.

Entries are numbered; each follows the one before, and all are of one lineage: a trainer that starts
from anything but the head of the log begins a new one. The token grows with each writer, and what a
writer with an older token tries to write is refused. Entries that a snapshot covers may be trimmed;
a replica behind the trim begins from that snapshot. A replica's lag is the number of entries that
it has not acknowledged, and how long the oldest of them has been waiting."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 where what was asked for cannot be read or is damaged."""
    chosen = _parser().parse_args(arguments)
    try:
        status = COMMANDS[chosen.command](chosen)
        sys.stdout.flush()
        return status
    except (SnapshotError, DeltaLogError, ConfigError) as error:
        print(f"recsys-embed: {error}", file=sys.stderr)
    except BrokenPipeError:  # `recsys-embed inspect DIR | head`; the exit flushes once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "recsys-embed", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=formatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    inspect = commands.add_parser(
        "inspect", help="show what a snapshot holds", description=_inspect.__doc__
    )
    inspect.add_argument(
        "dir", metavar="DIR", type=Path, help="a snapshot, or a directory of snapshots"
    )
    inspect.add_argument("--json", action="store_true", help="print JSON for programs")
    inspect.add_argument(
        "--no-verify", action="store_true", help="do not read every byte to compare checksums"
    )
    verify = commands.add_parser(
        "verify", help="compare every byte with the checksums", description=_verify.__doc__
    )
    verify.add_argument(
        "dir", metavar="DIR", type=Path, help="a snapshot, or a directory of snapshots"
    )
    log = commands.add_parser(
        "log",
        help="show a delta log and who is how far behind",
        description=LOG,
        formatter_class=formatter,
    )
    log.add_argument(
        "where", metavar="LOG", help="a directory, or redis://host:port/NAME (rediss, unix alike)"
    )
    log.add_argument("--json", action="store_true", help="print JSON for programs")
    log.add_argument(
        "--verify", action="store_true", help="read every entry and compare all checksums"
    )
    return parser


def _log(chosen: argparse.Namespace) -> int:
    found = log_report.summary(open_log(chosen.where), chosen.verify)
    print(json.dumps(found, indent=1) if chosen.json else log_report.report(found))
    return 1 if found["damage"] else 0


def _inspect(chosen: argparse.Namespace) -> int:
    """Shows tables, rows, bytes, configs, checksums, and bars of last-seen ages and counts."""
    snapshot = open_snapshot(chosen.dir, verify=False)
    found = summary(snapshot, verify=not chosen.no_verify)
    can_draw = "utf" in (sys.stdout.encoding or "").lower()
    print(json.dumps(found, indent=1) if chosen.json else report(found, "█" if can_draw else "#"))
    return 1 if found["damage"] else 0


def _verify(chosen: argparse.Namespace) -> int:
    """Reads every byte and compares all checksums; exit status 1 if anything is damaged."""
    snapshot = open_snapshot(chosen.dir, verify=False)
    damage = list(snapshot.damage())
    for sentence in damage:
        print(f"damaged: {sentence}", file=sys.stderr)
    if not damage:
        print(f"{snapshot.path}: all checksums match")
    return 1 if damage else 0


COMMANDS = {"inspect": _inspect, "verify": _verify, "log": _log}

if __name__ == "__main__":
    sys.exit(main())
