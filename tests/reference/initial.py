"""Initial values when a test has none of its own: a seeded draw for each (seed, table, id)."""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys_embed.initializers import Constant, Initializer, Normal, Uniform
from recsys_embed.table_config import TableConfig

Initial = Callable[[NDArray[np.int64]], NDArray[np.float32]]


def seeded_initial(config: TableConfig) -> Initial:
    """Gives the function ids (N,) -> values (N, D); not the native bits, but the same law."""

    def values(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = [_row(config, int(i)) for i in ids]
        return np.array(rows, np.float32).reshape(len(rows), config.dim)

    return values


def _row(config: TableConfig, i: int) -> NDArray[np.float64]:
    key = [config.seed, zlib.crc32(config.name.encode()), i % 2**64]
    rng = np.random.default_rng(key)
    return np.concatenate([_draw(s.initializer, s.dim, rng) for s in config.segments])


def _draw(initializer: Initializer, dim: int, rng: np.random.Generator) -> NDArray[np.float64]:
    match initializer:
        case Uniform(low=low, high=high):
            return rng.uniform(low, high, dim)
        case Normal(mean=mean, std=std):
            return rng.normal(mean, std, dim)
        case Constant(value=value):
            return np.full(dim, value)
