"""All rows of tables, by id, as bytes: so that two states of a million rows compare at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable


class Rows(NamedTuple):
    """A table's ids (N,), ascending, and their rows (N, bytes); `weights` of these come first."""

    ids: NDArray[np.int64]
    rows: NDArray[np.uint8]
    weights: int

    def served(self) -> "Rows":
        """The rows as serving has them, without what training alone needs."""
        return Rows(self.ids, self.rows[:, : self.weights], self.weights)


Tables = Mapping[str, Rows]


def rows_of(table: CollisionlessTable) -> Rows:
    """Gives every column of every row."""
    blocks = list(table.rows())
    width = 4 * table.config.dim
    if not blocks:
        return Rows(np.zeros(0, np.int64), np.zeros((0, width), np.uint8), width)
    ids = np.concatenate([block.ids for block in blocks])
    parts = [np.hstack([as_bytes(column) for column in block[1:]]) for block in blocks]
    order = np.argsort(ids)
    return Rows(ids[order], np.concatenate(parts)[order], width)


def as_bytes(column: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Views a column (N, …) as bytes (N, bytes)."""
    whole = np.ascontiguousarray(column)
    return whole.view(np.uint8).reshape(len(whole), -1)


def differing(one: Tables, other: Tables) -> int:
    """Counts the ids whose rows are not the same bits in both, or that only one has."""
    assert one.keys() == other.keys()
    return sum(_differing(one[name], other[name]) for name in one)


def _differing(one: Rows, other: Rows) -> int:
    _, here, there = np.intersect1d(one.ids, other.ids, assume_unique=True, return_indices=True)
    alone = len(one.ids) + len(other.ids) - 2 * len(here)
    if one.rows.shape[1] != other.rows.shape[1]:
        return alone + len(here)
    return alone + int((one.rows[here] != other.rows[there]).any(axis=1).sum())


def save_rows(path: Path, tables: Tables) -> None:
    """Writes all of it to a file, whole or not at all."""
    arrays = {f"{name}.{field}": np.asarray(value) for name, rows in tables.items()
              for field, value in rows._asdict().items()}  # fmt: skip
    hidden = path.with_suffix(".writing.npz")
    np.savez(hidden, **arrays)
    hidden.rename(path)


def load_rows(path: Path) -> Tables:
    """Reads what `save_rows` wrote."""
    with np.load(path) as file:
        names = {key.partition(".")[0] for key in file}
        return {
            name: Rows(file[f"{name}.ids"], file[f"{name}.rows"], int(file[f"{name}.weights"]))
            for name in sorted(names)
        }
