"""Engines from the arrays that they were spelled by."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.hnsw import HnswEngine
from recsys_embed.index.engines.ivf import IvfEngine
from recsys_embed.index.engines.projected import ProjectedEngine, projection_in
from recsys_embed.index.engines.protocol import Engine, Reach


def engine_of(
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    parameters: Parameters,
    reach: Reach,
    config: IndexConfig,
) -> Engine:
    """Reads what `Engine.arrays` gave.

    Raises:
        KeyError: if an array is missing.
        ValueError: for another kind, or arrays that do not fit.
    """
    engines: dict[str, type[IvfEngine] | type[HnswEngine]] = {"ivf": IvfEngine, "hnsw": HnswEngine}
    if kind not in engines:
        raise ValueError(f"expected an engine of kind {' or '.join(engines)}, found {kind!r}")
    engine = engines[kind].from_arrays(arrays, parameters, reach, config)
    projection = projection_in(arrays)
    return engine if projection is None else ProjectedEngine(engine, projection)
