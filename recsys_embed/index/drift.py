"""An engine whose items or queries have changed since it was tuned, held to its target again."""

from dataclasses import replace

import numpy as np

from recsys_embed.index.choosing import smallest_of, tuned, warn_below_target
from recsys_embed.index.engines.protocol import Engine, Floats, Mask
from recsys_embed.index.measuring import Goal, Sample, Trial
from recsys_embed.index.state import State
from recsys_embed.index.tuning import Tuning

QUERIES = 48  # each is scored against all items, at every folding


def retuned(state: State, queries: Floats) -> tuple[Engine, Tuning]:
    """Gives the engine of a state with parameters chosen for these queries."""
    sample = Sample(queries, state.arrays.vectors, _alive(state, state.folded), _k(state))
    engine, tuning = tuned(state.engine, sample, "queries", state.config)
    warn_below_target(engine, tuning, state.config)
    return engine, replace(tuning, trained=state.tuning.trained, steps=state.tuning.steps)


def adapted(base: State, engine: Engine, queries: Floats | None) -> Engine:
    """Widens a folded engine until it answers queries, and finds new items, as well as before.

    What is written anew may lie where the engine has no centroids and no one has asked yet; that
    shows when new items take the part of queries: they must find their neighbours as well as the
    items did for which the engine was built.

    Args:
        base: the state whose fresh items were folded in.
        engine: with them, over all slots of `base`.
        queries: such as are asked now, if known.
    """
    steps = engine.parameters.nprobe or engine.parameters.ef
    if not steps:
        return engine
    goals = _goals(base, queries)
    enough = smallest_of(engine, goals, base.tuning.rerank, least=steps)
    return engine if enough == steps else engine.tuned(engine.with_steps(enough), engine.reach)


def _goals(base: State, queries: Floats | None) -> list[Goal]:
    alive = _alive(base, base.size)
    sample = Sample(base.arrays.vectors[:0], base.arrays.vectors, alive, _k(base))
    goals, target = [], base.config.target_recall
    if queries is not None and len(queries) and alive.any():
        goals.append(Goal(Trial(sample._replace(queries=queries[-QUERIES:])), target, -1.0))
    new = base.folded + np.flatnonzero(alive[base.folded :])
    if len(new):
        chosen = new[np.linspace(0, len(new) - 1, min(len(new), QUERIES)).astype(np.int64)]
        trial = Trial(sample._replace(queries=base.arrays.vectors[chosen]))
        goals.append(Goal(trial, min(target, base.tuning.items_recall), 1.0))
    return goals


def _alive(state: State, size: int) -> Mask:
    alive: Mask = state.arrays.died[:size] > state.write
    return alive


def _k(state: State) -> int:
    return state.config.target_k
