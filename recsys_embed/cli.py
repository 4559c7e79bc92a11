"""`recsys-embed`: looks into snapshots from the command line."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recsys_embed.errors import SnapshotError
from recsys_embed.snapshot.inspect import summary
from recsys_embed.snapshot.reader import Snapshot, open_snapshot
from recsys_embed.snapshot.report import report

DESCRIPTION = """\
Looks into snapshots of embedding tables.

A snapshot is a directory snapshot-<number> with a manifest.json and safetensors files; where DIR
is a directory of snapshots, the newest complete one is taken. docs/formats.md has the format."""
EXAMPLES = """\
examples:
  recsys-embed inspect runs/shop/snapshots
      tables, rows, bytes, configs, and bars of how long ago rows were last seen and how often
  recsys-embed inspect runs/shop/snapshots --json | jq '.tables.item.rows'
      the same for programs
  recsys-embed verify runs/shop/snapshots/snapshot-000000000012
      reads every byte and compares all checksums; exit status 1 if anything is damaged"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 where the snapshot cannot be read or is damaged."""
    chosen = _parser().parse_args(arguments)
    try:
        snapshot = open_snapshot(chosen.dir, verify=False)
        status = _verify(snapshot) if chosen.command == "verify" else _inspect(snapshot, chosen)
        sys.stdout.flush()
        return status
    except SnapshotError as error:
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
    return parser


def _inspect(snapshot: Snapshot, chosen: argparse.Namespace) -> int:
    """Shows tables, rows, bytes, configs, checksums, and bars of last-seen ages and counts."""
    found = summary(snapshot, verify=not chosen.no_verify)
    can_draw = "utf" in (sys.stdout.encoding or "").lower()
    print(json.dumps(found, indent=1) if chosen.json else report(found, "█" if can_draw else "#"))
    return 1 if found["damage"] else 0


def _verify(snapshot: Snapshot) -> int:
    """Reads every byte and compares all checksums; exit status 1 if anything is damaged."""
    damage = list(snapshot.damage())
    for sentence in damage:
        print(f"damaged: {sentence}", file=sys.stderr)
    if not damage:
        print(f"{snapshot.path}: all checksums match")
    return 1 if damage else 0


if __name__ == "__main__":
    sys.exit(main())
