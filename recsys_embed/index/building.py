"""An engine for some items, chosen, built and tuned."""

from dataclasses import replace

import numpy as np

from recsys_embed.index.choosing import FILTER_QUERIES, MOST_QUERIES, tuned
from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.exact import ExactEngine
from recsys_embed.index.engines.protocol import Engine, Floats
from recsys_embed.index.items import Items
from recsys_embed.index.measuring import Sample, Trial
from recsys_embed.index.state import State
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


def retuned(state: State, queries: Floats) -> tuple[Engine, Tuning]:
    """Gives the engine of a state with parameters chosen for these queries."""
    engine, tuning = tuned(state.engine, _sample_of(state, queries), "queries", state.config)
    return engine, replace(tuning, trained=state.tuning.trained)


def has_fallen(state: State, queries: Floats) -> bool:
    """Tells whether the recall on these queries is below the target by more than chance."""
    sample = _sample_of(state, queries[-FILTER_QUERIES:])
    if state.engine.is_exact or not len(queries) or not sample.alive.any():
        return False
    recalls = Trial(sample).recalls(state.engine, Parameters(), state.tuning.rerank)
    error = recalls.std() / np.sqrt(len(recalls))
    return bool(recalls.mean() + error < state.config.target_recall)


def _sample_of(state: State, queries: Floats) -> Sample:
    alive = state.arrays.died[: state.folded] > state.write
    return Sample(queries, state.arrays.vectors, alive, state.config.target_k)
