"""What is in a snapshot as plain values: rows, bytes, configs, ages, counts, damage."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import to_dict
from recsys_embed.snapshot.reader import Snapshot
from recsys_embed.snapshot.table import SnapshotTable

SLICE_ROWS = 1 << 20
AGES_S = {
    "under a minute": 60,
    "under an hour": 3600,
    "under a day": 86_400,
    "under a week": 7 * 86_400,
    "under 30 days": 30 * 86_400,
    "under 90 days": 90 * 86_400,
    "under a year": 365 * 86_400,
    "a year or more": 2**32,
}
COUNTS = {"0": 1, "1": 2} | {
    f"{2**k:,} to {2 ** (k + 1) - 1:,}": 2 ** (k + 1) for k in range(1, 32)
}


def summary(snapshot: Snapshot, *, verify: bool = True) -> dict[str, Any]:
    """Describes a snapshot in plain JSON values; "damage" is None where it was not looked for."""
    head = {
        key: snapshot.manifest[key] for key in ("format", "version", "uuid", "number", "created")
    }
    return {
        "path": str(snapshot.path),
        **head,
        "bytes": snapshot.num_bytes,
        "tables": {name: _table(table) for name, table in snapshot.tables.items()},
        "dense": {
            name: f"{array.dtype} {list(array.shape)}" for name, array in snapshot.dense.items()
        },
        "extra": snapshot.extra,
        "damage": list(snapshot.damage()) if verify else None,
    }


def _table(table: SnapshotTable) -> dict[str, Any]:
    columns = table.columns
    return {
        "rows": table.num_rows,
        "dim": table.config.dim,
        "state_width": table.config.state_width,
        "bytes": sum(shard.nbytes for shards in columns.values() for shard in shards),
        "shards": len(columns["ids"]),
        "seq": table.seq,
        "clock_s": table.clock_s,
        "counters": table.counters,
        "config": to_dict(table.config),
        "ages": histogram(
            (np.int64(table.clock_s) - part for part in _slices(columns["last_seen"])), AGES_S
        ),
        "counts": histogram(_slices(columns["count"]), COUNTS),
        "features": _rows_by_feature(table),
    }


def _rows_by_feature(table: SnapshotTable) -> dict[str, int]:
    rows = np.zeros(2**16, np.int64)
    for part in _slices(table.columns["feature"]):
        rows += np.bincount(part, minlength=len(rows))
    return {feature.name: int(n) for feature, n in zip(table.config.features, rows, strict=False)}


def histogram(parts: Iterable[NDArray[Any]], bins: Mapping[str, int]) -> dict[str, int]:
    """Counts values by bin; a bin holds what is below its bound and not below the bound before it.

    Example:
        >>> histogram([np.array([1, 5]), np.array([6])], {"few": 5, "many": 100})
        {'few': 1, 'many': 2}
    """
    bounds, totals = np.array(list(bins.values())), np.zeros(len(bins), np.int64)
    for part in parts:
        totals += np.bincount(np.searchsorted(bounds, part, side="right"), minlength=len(bins))[
            : len(bins)
        ]
    return dict(zip(bins, totals.tolist(), strict=True))


def _slices(shards: Iterable[NDArray[Any]]) -> Iterable[NDArray[Any]]:
    for shard in shards:
        for start in range(0, len(shard), SLICE_ROWS):
            yield shard[start : start + SLICE_ROWS]
