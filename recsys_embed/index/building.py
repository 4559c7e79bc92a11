"""An engine for some items, chosen, built and tuned."""

import time

import numpy as np

from recsys_embed.index.choosing import (
    MOST_QUERIES,
    rerank_of,
    smallest_of,
    tuned,
    warn_below_target,
)
from recsys_embed.index.config import IndexConfig
from recsys_embed.index.engines.exact import ExactEngine
from recsys_embed.index.engines.protocol import Engine, Floats
from recsys_embed.index.items import Items
from recsys_embed.index.measuring import Goal, Sample, Trial
from recsys_embed.index.projection import learn_projection
from recsys_embed.index.tuning import Tuning

SCATTERED = 1 / 16  # share of the lists beyond which an inverted file is held against a graph
SAMPLE = 20_000  # items to hold them against each other with
TIMED = 64


def built(items: Items, config: IndexConfig, queries: Floats | None) -> tuple[Engine, Tuning]:
    """Builds the engine that a config asks for over all slots, none of which is dead.

    It logs a warning if that stays below the target.

    Args:
        items: whose slots it will find.
        config: of the index.
        queries: float32 (Q, D), to tune it with; None: a sample of the items.
    """
    engine, tuning = _built(items, config, queries)
    warn_below_target(engine, tuning, config)
    return engine, tuning


def _built(items: Items, config: IndexConfig, queries: Floats | None) -> tuple[Engine, Tuning]:
    on = "items" if queries is None or not len(queries) else "queries"
    asked = _sampled(items, config) if on == "items" or queries is None else queries
    sample = Sample(asked, items.arrays.vectors, np.ones(items.size, bool), config.target_k)
    kind = kind_for(config, items.size)
    if kind == "exact" or not items.size:
        return tuned(ExactEngine(items, items.size, config.threads), sample, on, config)
    engine, tuning = tuned(
        _made(kind, items.arrays.vectors[: items.size], asked, config), sample, on, config
    )
    if config.kind != "auto" or tuning.steps <= SCATTERED * engine.most_steps:
        return engine, tuning
    if not graph_is_faster(sample, config):
        return engine, tuning
    return tuned(
        _made("hnsw", items.arrays.vectors[: items.size], asked, config), sample, on, config
    )


def kind_for(config: IndexConfig, count: int) -> str:
    """Gives the kind of engine for so many items, before the data itself is looked at."""
    if config.kind != "auto" and count:
        return config.kind
    return "exact" if count < config.exact_below else "ivf"


def graph_is_faster(sample: Sample, config: IndexConfig) -> bool:
    """Builds both over some of the items and times both where they reach the target.

    A graph that is faster for few items is so for many: its time grows with the logarithm of their
    number, that of an inverted file with the root.
    """
    count = len(sample.alive)
    slots = np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64)
    vectors = sample.vectors.take(slots, axis=0)
    few = Sample(sample.queries[:TIMED], vectors, np.ones(len(slots), bool), sample.k)
    trial = Trial(few)
    times = [
        _time(_made(kind, vectors, few.queries, config), trial, few, config)
        for kind in ("ivf", "hnsw")
    ]
    return times[1] < times[0]


def _time(engine: Engine, trial: Trial, sample: Sample, config: IndexConfig) -> float:
    rerank = rerank_of(config)
    steps = smallest_of(engine, [Goal(trial, config.target_recall, 0.0)], rerank)
    asked = engine.with_steps(steps)
    if not trial.reaches(engine, asked, rerank, config.target_recall, 0.0):
        return float("inf")
    start = time.perf_counter()
    for query in sample.queries:
        engine.search(query[None], trial.k, None, asked)
    return time.perf_counter() - start


def _made(kind: str, vectors: Floats, queries: Floats, config: IndexConfig) -> Engine:
    from recsys_embed.index.engines.hnsw import HnswEngine  # loads faiss, which importing must not
    from recsys_embed.index.engines.ivf import IvfEngine
    from recsys_embed.index.engines.projected import ProjectedEngine

    engine_class = IvfEngine if kind == "ivf" else HnswEngine
    slots, dim = np.arange(len(vectors)), config.projected_dim
    if dim is None or dim >= vectors.shape[1] or not queries.any():  # zeros tell no direction
        return engine_class.build(slots, vectors, config)
    projection = learn_projection(queries, vectors, dim)
    projected = np.ascontiguousarray(projection.of_items(vectors))
    return ProjectedEngine(engine_class.build(slots, projected, config), projection)


def _sampled(items: Items, config: IndexConfig) -> Floats:
    count = min(items.size, MOST_QUERIES)
    chosen = np.random.default_rng(config.seed).choice(items.size, count, replace=False)
    return items.arrays.vectors.take(chosen, axis=0) if count else items.arrays.vectors[:0]
