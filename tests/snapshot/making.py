"""Tables whose every row follows from its id, and the ways the tests here look at rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recsys_embed.mapped_table import make_table
from recsys_embed.optimizers import Adam
from recsys_embed.snapshot import Snapshot, write_snapshot
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock

EDGES = [0, 1, -1, 2**63 - 1, -(2**63), 2**32, 2**32 + 1]
CONFIG = TableConfig.of("item", 3, optimizer=Adam())


def planted(ids: Sequence[int], config: TableConfig = CONFIG, salt: int = 0) -> RowBlock:
    """Rows whose every value follows from the id, its place in the row, and the salt."""
    seed = np.array([i % 1009 + salt for i in ids], np.float32)
    return RowBlock(
        np.array(ids, np.int64),
        seed[:, None] + np.arange(config.dim, dtype=np.float32) / 8,
        -seed[:, None] - np.arange(config.state_width, dtype=np.float32) / 4,
        (seed + 100).astype(np.uint32),
        (seed + 1).astype(np.uint32),
        np.zeros(len(ids), np.uint16),
        (seed + 7).astype(np.uint64),
    )


def table_of(ids: Sequence[int], config: TableConfig = CONFIG, salt: int = 0) -> CollisionlessTable:
    """A table that holds the planted rows."""
    table = make_table(config)
    table.restore_rows(planted(ids, config, salt))
    return table


def by_id(blocks: Iterable[Any]) -> dict[int, tuple[bytes, ...]]:
    """Every row's exact bytes by id; refuses an id that comes twice."""
    rows: dict[int, tuple[bytes, ...]] = {}
    for block in blocks:
        for position, i in enumerate(np.asarray(block.ids).tolist()):
            assert i not in rows, f"id {i} comes twice"
            rows[i] = tuple(np.asarray(column)[position].tobytes() for column in block)
    return rows


def saved(root: Path, count: int = 128, shards: int = 2, **options: Any) -> Path:
    """A snapshot of a planted table "item" with rows for 0 .. count-1."""
    return write_snapshot(root, {"item": table_of(range(count))}, shards=shards, **options)


def names_in(root: Path) -> list[str]:
    """What a directory holds."""
    return sorted(path.name for path in root.iterdir())


def generation(snapshot: Snapshot) -> int:
    """The number that a save wrote into `extra` and into every weight; they must agree."""
    (number,) = {snapshot.extra["generation"]} | {
        int(weight) for shard in snapshot.tables["item"].columns["weights"] for weight in shard.flat
    }
    return number
