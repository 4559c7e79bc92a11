"""Items and what is known of them: content vectors from .npy, or texts from a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import InputError
from recsys_embed.hashing import ids_of
from training.readers.log import Log
from training.readers.paths import resolve


class Items(NamedTuple):
    """N items.

    Args:
        ids: int64 (N,), distinct.
        counts: int64 (N,), how often each was seen.
        contents: (N, D), or None.
        texts: N of them, or None.
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.int64]
    contents: NDArray[np.floating] | None
    texts: list[str] | None


def read_vectors(contents: str, ids: str | None) -> Items:
    """Reads content vectors (N, D) from a .npy file, and ids (N,) from another.

    Args:
        contents: path of the vectors.
        ids: path of integers or strings; left out: items are 0 to N - 1.

    Raises:
        InputError: for a file that is no such array, or ids that repeat.
    """
    vectors = _array(contents)
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise InputError(
            f"expected content vectors (N, D) in {contents}, got {vectors.dtype} {vectors.shape}"
        )
    keys = ids_of(_array(ids)) if ids else np.arange(len(vectors))
    if keys.shape != vectors.shape[:1] or len(np.unique(keys)) != len(keys):
        raise InputError(
            f"expected {len(vectors)} distinct ids in {ids}, got {len(np.unique(keys))} distinct"
            f" of {len(keys)}"
        )
    return Items(keys, np.ones(len(keys), np.int64), vectors, None)


def read_texts(path: str, id_column: str, text_columns: Sequence[str]) -> Items:
    """Reads one text an item from a table; of an item's several lines the first has its text.

    Args:
        path: CSV, TSV or Parquet.
        id_column: of integers or strings.
        text_columns: joined by a space; what is missing counts as empty.

    Raises:
        InputError: for a column that is not there, or no line at all.
    """
    frame = Log(path, separator="\t" if Path(path).suffix == ".tsv" else ",").read()
    for name in (id_column, *text_columns):
        if name not in frame.columns:
            raise InputError(f"{path} has no column {name!r}; {near(name, frame.columns)}")
    texts = [pl.col(name).cast(pl.String).fill_null("") for name in text_columns]
    items = (
        frame.filter(pl.col(id_column).is_not_null())
        .group_by(id_column, maintain_order=True)
        .agg(pl.concat_str(texts, separator=" ").first().alias("#text"), pl.len().alias("#count"))
    )
    if not len(items):
        raise InputError(f"expected items in {path}, found no line with a value of {id_column!r}")
    counts = items["#count"].to_numpy().astype(np.int64)
    return Items(ids_of(items[id_column].to_numpy()), counts, None, items["#text"].to_list())


def _array(path: str) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = np.load(resolve(path), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"expected an array in {path}: {error}") from error
    return array
