"""Small online runs whose result is known: logs of planted ids, and what must come of them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable
from recsys_embed.config import from_dict
from recsys_embed.delta_log import DeltaLog, open_log
from recsys_embed.deltas import apply, decode
from recsys_embed.snapshot import open_snapshot
from training.described import with_tables
from training.online.config import OnlineConfig
from training.online.folder import OnlineFolder
from training.online.running import Online
from training.online.watching import Status

EVENTS = 3_000
BATCH = 64
TOML = """
name = "planted"
seed = 3
[source]
kind = "replay"
outcome_after_s = {outcome}
[source.data]
kind = "log"
path = "{log}"
[source.events]
time = "when"
label = "clicked"
[join]
window_s = 40
[features]
user = {{}}
item = {{ttl_days = {ttl_days}}}
[table]
dim = 4
lr = 0.1
[model]
kind = "dnn"
hidden = [8]
[train]
batch_size = {batch}
threads = 1
window = 1000
expire_every = 5
[publish]
every_s = {every_s}
[snapshot]
every_s = {snapshot_s}
"""


def write_log(path: Path, events: int = EVENTS, seed: int = 1) -> pl.DataFrame:
    """Writes a log of users, items and clicks; items come and go."""
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 40, events) + np.arange(events) // 20
    frame = pl.DataFrame(
        {
            "user": rng.integers(0, 200, events),
            "item": item,
            "clicked": rng.random(events) < 0.2 + 0.4 * (item % 3 == 0),
            "when": np.arange(events) + 1_320_192_000,
        }
    )
    frame.write_parquet(path)
    return frame


def write_config(
    folder: Path,
    *,
    events: int = EVENTS,
    ttl_days: float = 0.01,
    outcome: str = "5",
    every_s: float = 0.02,
    snapshot_s: float = 0.1,
    batch: int = BATCH,
) -> Path:
    """Writes a log and the config of an online run on it; gives the config's path."""
    log, path = folder / "log.parquet", folder / "online.toml"
    write_log(log, events)
    text = TOML.format(
        log=log,
        ttl_days=ttl_days,
        outcome=outcome,
        every_s=every_s,
        snapshot_s=snapshot_s,
        batch=batch,
    )
    path.write_text(text if outcome else text.replace("outcome_after_s = \n", ""))
    return path


def config_of(path: Path, **sections: dict[str, Any]) -> OnlineConfig:
    """Reads a config, some values of its sections replaced."""
    import tomllib

    values = tomllib.loads(path.read_text())
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return from_dict(OnlineConfig, with_tables(values), "online")


def run(config: OnlineConfig, output: Path, **options: Any) -> Status:
    """Runs until the replay is done."""
    return Online(config, output, **options).run()


Rows = dict[int, tuple[bytes, ...]]


def rows_of(table: CollisionlessTable) -> Rows:
    """All of a table's rows by id, every column as bytes."""
    return {
        int(block.ids[k]): tuple(column[k].tobytes() for column in block[1:])
        for block in table.rows()
        for k in range(len(block.ids))
    }


def served_rows(table: CollisionlessTable) -> dict[int, bytes]:
    """The weights of a table by id."""
    return {id: columns[0] for id, columns in rows_of(table).items()}


def trained(output: Path) -> dict[str, CollisionlessTable]:
    """The tables of a run's newest snapshot."""
    snapshot = open_snapshot(OnlineFolder(output).snapshots)
    return {name: table.restore() for name, table in snapshot.tables.items()}


def replayed(log: DeltaLog, after: Path) -> dict[str, CollisionlessTable]:
    """The tables of a snapshot once all entries of the log behind it are applied."""
    snapshot = open_snapshot(after)
    tables = {name: table.restore() for name, table in snapshot.tables.items()}
    entry = snapshot.extra["log"]
    for found in log.read(entry["number"], lineage=entry["lineage"]):
        apply(decode(found.data), tables)
    return tables


def same(one: dict[str, CollisionlessTable], other: dict[str, CollisionlessTable]) -> None:
    """Asserts that tables hold the same rows, bit for bit."""
    assert one.keys() == other.keys()
    for name in one:
        assert rows_of(one[name]) == rows_of(other[name])


def log_of(output: Path) -> DeltaLog:
    """The log in a run's folder."""
    return open_log(OnlineFolder(output).log)


def occurrences(frame: pl.DataFrame, column: str) -> Counter[int]:
    """How often each id comes in a log."""
    return Counter(frame[column].to_list())


def counted(table: CollisionlessTable) -> Counter[int]:
    """How often each id was learned, as its row tells."""
    counts: Counter[int] = Counter()
    for block in table.rows():
        ids: NDArray[np.int64] = block.ids
        counts.update(dict(zip(ids.tolist(), block.count.tolist(), strict=True)))
    return counts
