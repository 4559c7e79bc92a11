"""Online runs to measure: a config on a stream or on a written log, and entries made by hand."""

import uuid
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.delta_log import Base, DeltaLog, Writer
from recsys_embed.deltas import Delta, encode
from recsys_embed.snapshot import write_snapshot

SOURCES = {
    "redis": """
[source]
kind = "redis-stream"
url = "{url}"
stream = "events"
columns = {{user = "int", item = "int"}}
""",
    "replay": """
[source]
kind = "replay"
[source.data]
kind = "log"
path = "{log}"
[source.events]
time = "when"
label = "clicked"
""",
}
REST = """
[features.user]
[features.item]
[table]
dim = {dim}
[model]
kind = "dlrm"
top = [64, 32]
[train]
batch_size = 1024
wait_s = 0.05
window = 20000
[publish]
every_s = 1.0
[snapshot]
every_s = {snapshot_s}
"""


def write_config(
    folder: Path, kind: str, *, dim: int = 16, snapshot_s: float = 1e6, **of_source: object
) -> Path:
    """Writes the config of an online run; gives its path."""
    path = folder / f"{kind}.toml"
    rest = REST.format(dim=dim, snapshot_s=snapshot_s)
    path.write_text('name = "measured"\n' + SOURCES[kind].format(**of_source) + rest)
    return path


def write_events(path: Path, events: int, users: int) -> None:
    """Writes a log whose users are drawn evenly and whose items by a power law."""
    rng = np.random.default_rng(0)
    pl.DataFrame(
        {
            "user": rng.integers(0, users, events),
            "item": rng.zipf(1.2, events) % 100_000,
            "clicked": rng.random(events) < 0.3,
            "when": np.arange(events) // 1000 + 1_700_000_000,
        }
    ).write_parquet(path)


class Trainer:
    """A table that changes as it is told, its log, and the entries that a follower reads."""

    def __init__(self, folder: Path, log: DeltaLog, num_rows: int, dim: int) -> None:
        self.rng, self.dim = np.random.default_rng(0), dim
        self.ids = self.rng.permutation(np.arange(num_rows, dtype=np.int64))
        self.table = CollisionlessTable(TableConfig.of("item", dim))
        for ids in np.array_split(self.ids, 20):
            self.table.assign(ids, np.zeros((len(ids), dim), np.float32))
        self.table.track_changes()
        self.lineage, self.number, self.seq = str(uuid.uuid4()), 0, self.table.seq
        entry = {"lineage": self.lineage, "number": 0}
        self.snapshot = write_snapshot(folder, {"item": self.table}, extra={"log": entry})
        self.writer: Writer = log.open_writer(self.lineage, base=Base(0, str(self.snapshot)))

    def delta(self, rows: int, state: bool = False) -> bytes:
        """Writes some rows anew; gives the next entry."""
        ids: NDArray[np.int64] = self.rng.choice(self.ids, rows, replace=False)
        self.table.assign(ids, self.rng.random((rows, self.dim), np.float32))
        self.number += 1
        with self.table.changes(self.seq, admission=state) as changes:
            self.seq = changes.seq
            given = {"lineage": self.lineage, "number": self.number, "state": state}
            return encode(Delta.of({"item": changes}, **given))

    def append(self, number: int, data: bytes) -> None:
        """Puts an entry into the log."""
        self.writer.append(number, number - 1, data)
