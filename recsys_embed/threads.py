"""How many threads one call may use, and what a table would begin with."""

import functools
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.arrays import as_ids
from recsys_embed.errors import InputError
from recsys_embed.row_maps import Collisionless
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig


def set_num_threads(count: int) -> None:
    """Lets each call of this process use up to `count` threads; results do not depend on it.

    Example:
        >>> set_num_threads(2)
        >>> num_threads()
        2
    """
    if not 1 <= count <= 1024:
        raise InputError(f"the number of threads must be in [1, 1024], got {count}")
    native.set_num_threads(count)


def num_threads() -> int:
    """Gives the number of threads a call may use; at first, the number of cores."""
    return int(native.num_threads())


def initial_values(config: TableConfig, ids: ArrayLike) -> NDArray[np.float32]:
    """Gives the vectors with which a table of this config would begin these ids, shape (N, D)."""
    ids = as_ids(ids)
    part = Mapped.of(config.row_map, ids, config.features[0].name)
    # the cache sees no map: maps with and without their arrays are equal
    of_rows = _empty_table(replace(config, row_map=Collisionless()))
    return part.combine(of_rows.initial_values(part.flat))


@functools.lru_cache(maxsize=64)
def _empty_table(config: TableConfig) -> CollisionlessTable:
    return CollisionlessTable(config)
