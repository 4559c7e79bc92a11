"""Interactions for clustering: tables of users and items, or lines of adjacency."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from recsys_embed.config import near
from recsys_embed.errors import InputError
from recsys_embed.graphhash import Bipartite, from_adjacency, from_arrays, from_frame
from training.readers.log import Log
from training.readers.paths import resolve

TABLES = (".parquet", ".csv", ".tsv")


def read_table(
    paths: Sequence[str], user: str, item: str, weight: str | None
) -> tuple[Bipartite, int]:
    """Reads Parquet, CSV or TSV tables into one graph; says how many lines lacked a value.

    Args:
        paths: files, or folders of Parquet files.
        user: column of users.
        item: column of items.
        weight: column of weights; None: all 1.

    Raises:
        InputError: for a file or column that is not there, and as `from_frame` does.
    """
    names = [name for name in (user, item, weight) if name is not None]
    frames = []
    for path in paths:
        frame = Log(path, separator="\t" if Path(path).suffix == ".tsv" else ",").read()
        for name in names:
            if name not in frame.columns:
                raise InputError(f"{path} has no column {name!r}; {near(name, frame.columns)}")
        frames.append(frame.select(names))
    every = pl.concat(frames, how="vertical_relaxed")
    whole = every.drop_nulls()
    return from_frame(whole, user, item, weight), every.height - whole.height


def read_adjacency(paths: Sequence[str]) -> Bipartite:
    """Reads lines "user item item …" of integers, as NGCF and LightGCN have them, into one graph.

    Raises:
        InputError: for a table, or a line with anything else than integers.
    """
    for path in paths:
        if Path(path).suffix in TABLES:
            raise InputError(
                f"{path} is a table; say which columns hold users and items: --user COLUMN"
                " --item COLUMN"
            )
    graphs = [from_adjacency(resolve(path)) for path in paths]
    weights = [
        np.ones(graph.num_edges, np.float32) if graph.weights is None else graph.weights
        for graph in graphs
    ]
    return from_arrays(
        np.concatenate([graph.user_ids[graph.users] for graph in graphs]),
        np.concatenate([graph.item_ids[graph.items] for graph in graphs]),
        np.concatenate(weights),
    )
