"""A search of everything that is alive, or of the slots that are admitted."""

import math

import numpy as np

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.exact import scored
from recsys_embed.index.engines.protocol import Floats, Hits
from recsys_embed.index.moment import Admitted, Moment
from recsys_embed.index.ranking import joined, nothing, rescored, widened, without

SPARE = 32  # dead slots that a search may meet before it has to tell the engine all of them


def nearest(
    moment: Moment, queries: Floats, k: int, parameters: Parameters, among: Admitted | None
) -> Hits:
    """Finds the best min(k, slots admitted) of each query; fewer never.

    Args:
        moment: the state to search.
        queries: float32 (Q, D), checked.
        k: at least 1.
        parameters: in place of the tuned ones.
        among: the slots admitted; None: all that are alive.
    """
    state = moment.state
    most = min(k, state.alive if among is None else among.count)
    if not most or not len(queries):
        return nothing(len(queries), k)
    if parameters.exact:
        return widened(_all_scored(moment, queries, most, among), k)
    hits = _of_engine(moment, queries, most, parameters, among)
    if state.size > state.folded:
        hits = joined(hits, _of_fresh(moment, queries, most, among), most)
    if hits.slots[:, -1].min() < 0 or hits.slots.shape[1] < most:
        hits = _completed(moment, hits, queries, most, among)
    return widened(hits, k)


def _all_scored(moment: Moment, queries: Floats, k: int, among: Admitted | None) -> Hits:
    state = moment.state
    if among is None and state.alive < state.size:
        among = moment.alive
    chosen = None if among is None else among.in_all
    return scored(state.arrays.vectors[: state.size], queries, k, chosen, state.config.threads)


def _of_engine(
    moment: Moment, queries: Floats, k: int, parameters: Parameters, among: Admitted | None
) -> Hits:
    state = moment.state
    engine = state.engine
    factor = parameters.rerank or state.tuning.rerank
    wanted = min(math.ceil(k * factor), state.folded)
    if not wanted:
        return nothing(len(queries), 0)
    if among is not None:
        hits = engine.search(queries, wanted, among.in_engine, parameters)
    elif state.stale:
        hits = _of_living(moment, queries, wanted, parameters)
    else:
        hits = engine.search(queries, wanted, None, parameters)
    if factor == 1 and engine.scores_are_exact:
        return hits
    return rescored(hits, queries, state.arrays.vectors, k)


def _of_living(moment: Moment, queries: Floats, k: int, parameters: Parameters) -> Hits:
    """Asks for a few more, since dropping a few dead ones is faster than naming all that live."""
    state = moment.state
    hits = state.engine.search(queries, k + min(state.stale, SPARE), None, parameters)
    dead = (state.arrays.died[hits.slots] <= state.write) & (hits.slots >= 0)
    if not dead.any():
        return Hits(hits.slots[:, :k], hits.scores[:, :k])
    if state.stale <= SPARE or np.count_nonzero(dead, axis=1).max() <= SPARE:
        return without(hits, dead, k)
    own = state.engine.parameters if parameters == Parameters() else parameters
    return state.engine.search(queries, k, moment.alive.in_engine, own)


def _of_fresh(moment: Moment, queries: Floats, k: int, among: Admitted | None) -> Hits:
    state = moment.state
    first, size = state.folded, state.size
    chosen = moment.fresh_alive if among is None else among.in_fresh
    vectors = state.arrays.vectors[first:size]
    hits = scored(vectors, queries, min(k, size - first), chosen, state.config.threads)
    return Hits(np.where(hits.slots >= 0, hits.slots + first, -1), hits.scores)


def _completed(moment: Moment, hits: Hits, queries: Floats, k: int, among: Admitted | None) -> Hits:
    """Scores everything for the queries that came out with fewer than k."""
    hits = widened(hits, k)
    short = hits.slots[:, -1] < 0
    rest = _all_scored(moment, np.ascontiguousarray(queries[short]), k, among)
    hits.slots[short], hits.scores[short] = rest
    return hits
