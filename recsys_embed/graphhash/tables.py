"""Interactions from tables: Polars frames, Parquet files, lines of adjacency."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.graphhash.interactions import Bipartite, from_arrays
from recsys_embed.hashing import hash_strings, ids_of

if TYPE_CHECKING:
    import polars


def from_frame(
    frame: "polars.DataFrame", user: str, item: str, weight: str | None = None
) -> Bipartite:
    """Builds the graph from a Polars frame with one interaction a line.

    Args:
        frame: with the columns named below.
        user: column of integers or strings.
        item: column of integers or strings.
        weight: column of numbers; left out: all 1.

    Raises:
        InputError: for a column that is missing or has nulls, and as `from_arrays` does.
    """
    names = [name for name in (user, item, weight) if name is not None]
    if missing := [name for name in names if name not in frame.columns]:
        raise InputError(f"expected columns {names}, found no {missing} among {frame.columns}")
    nulls = {name: frame[name].null_count() for name in names if frame[name].null_count()}
    if nulls:
        raise InputError(f"columns must not have nulls, got {nulls} in {frame.height} lines")
    weights = None if weight is None else frame[weight].to_numpy()
    return from_arrays(_column(frame[user]), _column(frame[item]), weights)


def from_parquet(path: str | Path, user: str, item: str, weight: str | None = None) -> Bipartite:
    """Builds the graph from a Parquet file (or a pattern of them), reading these columns alone.

    Raises:
        InputError: as `from_frame` does.
        OSError: as the system says.
    """
    import polars

    names = [name for name in (user, item, weight) if name is not None]
    try:
        frame = polars.read_parquet(path, columns=names)
    except polars.exceptions.ColumnNotFoundError:
        found = list(polars.read_parquet_schema(path))
        raise InputError(f"{path}: expected columns {names}, found {found}") from None
    return from_frame(frame, user, item, weight)


def from_adjacency(path: str | Path) -> Bipartite:
    """Builds the graph from lines "user item item …" of integers, as NGCF and LightGCN write them.

    Raises:
        InputError: for a line with anything else, naming it, and as `from_arrays` does.
        OSError: as the system says.
    """
    users: list[NDArray[np.int64]] = []
    items: list[NDArray[np.int64]] = []
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                ids = np.array(line.split(), np.int64)
            except (ValueError, OverflowError) as error:
                raise InputError(f"{path}, line {number}: expected integers: {error}") from None
            users.append(np.repeat(ids[:1], max(len(ids) - 1, 0)))
            items.append(ids[1:])
    none = np.zeros(0, np.int64)
    return from_arrays(np.concatenate([none, *users]), np.concatenate([none, *items]))


def _column(values: "polars.Series") -> NDArray[np.int64]:
    import polars

    if values.dtype not in (polars.String, polars.Categorical):
        return ids_of(values.to_numpy())
    strings = values.cast(polars.String)
    distinct = strings.unique()
    ids = hash_strings(distinct.to_list())
    return strings.replace_strict(distinct, ids, return_dtype=polars.Int64).to_numpy()
