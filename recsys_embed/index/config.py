"""What an index is asked to be, and what one search may ask of it."""

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from recsys_embed.errors import ConfigError

Metric = Literal["inner_product", "cosine"]
Kind = Literal["auto", "exact", "ivf", "hnsw"]
Codec = Literal["fp32", "fp16", "int8"]
MAX_K = 65_536


@dataclass(frozen=True)
class IndexConfig:
    """How an index compares vectors, and how near to exact search it shall come.

    Attributes:
        metric: inner_product, or cosine, under which vectors are kept and scored at length 1.
        kind: auto is exact for fewer than `exact_below` items, and else what measures faster.
        codec: of the engine's copy; the index keeps every vector in float32 beside it.
        target_recall: share of the true best `target_k` that a search shall find, in (0, 1].
        target_k: results that tuning asks for, at least 1.
        exact_below: items below which auto searches exactly.
        projected_dim: dimension of the engine's copy after a query-aware projection; None: full.
        rerank: candidates taken from the engine a result and scored again on the full vectors, at
            least 1; None: by codec and projection, 1 for float32.
        nlist: lists of an inverted file; None: by the number of items.
        fresh_limit: written items that are folded into the engine; None: by the number of items.
        background: whether folding and rebuilding happen in a thread; else in `Index.maintain`.
        threads: that one search may use.
        seed: of every random choice.

    Raises:
        ConfigError: for a value that is none of these.

    Example:
        >>> IndexConfig(metric="cosine", codec="fp16").target_recall
        0.98
    """

    metric: Metric = "inner_product"
    kind: Kind = "auto"
    codec: Codec = "fp32"
    target_recall: float = 0.98
    target_k: int = 100
    exact_below: int = 50_000
    projected_dim: int | None = None
    rerank: float | None = None
    nlist: int | None = None
    fresh_limit: int | None = None
    background: bool = True
    threads: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, options in (("metric", Metric), ("kind", Kind), ("codec", Codec)):
            if getattr(self, name) not in get_args(options):
                known = ", ".join(get_args(options))
                raise ConfigError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        if not 0 < self.target_recall <= 1:
            raise ConfigError(f"target_recall must be in (0, 1], got {self.target_recall}")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ConfigError(f"{name} must be at least {least}, got {value}")


LEAST = {
    "target_k": 1,
    "exact_below": 0,
    "projected_dim": 1,
    "rerank": 1,
    "nlist": 1,
    "fresh_limit": 1,
    "threads": 1,
}


@dataclass(frozen=True)
class Parameters:
    """What one search asks for in place of what was tuned; None leaves what was tuned.

    Attributes:
        exact: score every item.
        nprobe: lists of an inverted file to look into.
        ef: candidates that a walk through a graph keeps.
        rerank: candidates a result that are scored again on the full vectors.

    Raises:
        ConfigError: for a number below 1, or infinity.
    """

    exact: bool = False
    nprobe: int | None = None
    ef: int | None = None
    rerank: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not None and not 1 <= value < math.inf:
                raise ConfigError(f"{field.name} must be a number of at least 1, got {value}")
