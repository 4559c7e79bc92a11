"""All rows of all tables at one moment, in open files; docs/formats.md has the format."""

from recsys_embed.snapshot.readable import ReadableTable, SnapshotLookup
from recsys_embed.snapshot.reader import Snapshot, open_snapshot
from recsys_embed.snapshot.table import SnapshotTable
from recsys_embed.snapshot.writer import write_snapshot

__all__ = [
    "ReadableTable",
    "Snapshot",
    "SnapshotLookup",
    "SnapshotTable",
    "open_snapshot",
    "write_snapshot",
]
