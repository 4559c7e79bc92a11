"""The folder of an online run: what lies where."""

import shutil
from pathlib import Path

from recsys_embed.errors import SnapshotNotFoundError
from recsys_embed.snapshot.directories import find_snapshot

CONTENTS = ("snapshots", "heads", "spill", "log", "metrics.jsonl", "summary.json")


class OnlineFolder:
    """Lays out a run's files under one path, made if absent.

    Attributes:
        snapshots: all rows, now and then.
        heads: what a trainer needs beside the rows to go on from the log's last entry.
        spill: what the joiner cannot hold in memory.
        log: where changes go, if the config names no other place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.snapshots, self.heads = path / "snapshots", path / "heads"
        self.spill, self.log = path / "spill", path / "log"
        self.metrics, self.summary = path / "metrics.jsonl", path / "summary.json"
        self.heads.mkdir(parents=True, exist_ok=True)

    def newest_snapshot(self) -> Path | None:
        """Gives the newest complete snapshot, if there is any."""
        try:
            return find_snapshot(self.snapshots).resolve()
        except SnapshotNotFoundError:
            return None


def clear(path: Path) -> None:
    """Removes what an online run leaves in its folder, and nothing else."""
    for name in CONTENTS:
        if (path / name).is_dir():
            shutil.rmtree(path / name)
        else:
            (path / name).unlink(missing_ok=True)
