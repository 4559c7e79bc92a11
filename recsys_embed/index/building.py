"""An engine for some items, chosen, built and tuned."""

import numpy as np

from recsys_embed.index.choosing import MOST_QUERIES, tuned
from recsys_embed.index.config import IndexConfig
from recsys_embed.index.engines.exact import ExactEngine
from recsys_embed.index.engines.protocol import Engine, Floats
from recsys_embed.index.items import Items
from recsys_embed.index.measuring import Sample
from recsys_embed.index.tuning import Tuning


def built(items: Items, config: IndexConfig, queries: Floats | None) -> tuple[Engine, Tuning]:
    """Builds the engine that a config asks for over all slots, none of which is dead.

    Args:
        items: whose slots it will find.
        config: of the index.
        queries: float32 (Q, D), to tune it with; None: a sample of the items.
    """
    on = "items" if queries is None or not len(queries) else "queries"
    asked = _sampled(items, config) if on == "items" or queries is None else queries
    sample = Sample(asked, items.arrays.vectors, np.ones(items.size, bool), config.target_k)
    return tuned(_engine(items, config), sample, on, config)


def kind_for(config: IndexConfig, count: int) -> str:
    """Gives the kind of engine for so many items."""
    if config.kind != "auto" and count:
        return config.kind
    return "exact" if count < config.exact_below else "ivf"


def _engine(items: Items, config: IndexConfig) -> Engine:
    if kind_for(config, items.size) == "exact" or not items.size:
        return ExactEngine(items, items.size, config.threads)
    from recsys_embed.index.engines.ivf import IvfEngine

    vectors = items.arrays.vectors[: items.size]
    return IvfEngine.build(np.arange(items.size), vectors, config)


def _sampled(items: Items, config: IndexConfig) -> Floats:
    count = min(items.size, MOST_QUERIES)
    chosen = np.random.default_rng(config.seed).choice(items.size, count, replace=False)
    return items.arrays.vectors.take(chosen, axis=0) if count else items.arrays.vectors[:0]
