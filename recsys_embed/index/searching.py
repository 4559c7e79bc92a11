"""A search of everything that is alive, or of the slots that a mask admits."""

import math

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.exact import scored
from recsys_embed.index.engines.protocol import Bits, Floats, Hits
from recsys_embed.index.moment import Moment
from recsys_embed.index.ranking import joined, nothing, rescored, widened, without

Mask = NDArray[np.bool_]
SPARE = 32  # dead slots that a search may meet before it has to tell the engine all of them


def nearest(
    moment: Moment, queries: Floats, k: int, parameters: Parameters, mask: Mask | None = None
) -> Hits:
    """Finds the best min(k, slots admitted) of each query; fewer never.

    Args:
        moment: the state to search.
        queries: float32 (Q, D), checked.
        k: at least 1.
        parameters: in place of the tuned ones.
        mask: bool (size,), of slots that are alive; None admits all that are.
    """
    state = moment.state
    admitted = state.alive if mask is None else int(np.count_nonzero(mask))
    if not admitted or not len(queries):
        return nothing(len(queries), k)
    if parameters.exact:
        return widened(all_scored(moment, queries, min(k, admitted), mask), k)
    hits = _of_engine(moment, queries, min(k, admitted), parameters, mask)
    if state.size > state.folded:
        hits = joined(hits, _of_fresh(moment, queries, min(k, admitted), mask), min(k, admitted))
    return widened(_completed(moment, hits, queries, min(k, admitted), mask), k)


def all_scored(moment: Moment, queries: Floats, k: int, mask: Mask | None) -> Hits:
    """Finds the k best by scoring every slot that is admitted."""
    state = moment.state
    bits = moment.alive_bits if mask is None else bits_of(mask)
    return scored(state.arrays.vectors[: state.size], queries, k, bits, state.config.threads)


def bits_of(mask: Mask) -> Bits:
    """Packs a mask into the bits that engines take."""
    return np.packbits(mask, bitorder="little")


def _of_engine(
    moment: Moment, queries: Floats, k: int, parameters: Parameters, mask: Mask | None
) -> Hits:
    state = moment.state
    engine = state.engine
    factor = parameters.rerank or state.tuning.rerank
    wanted = k if factor == 1 else min(math.ceil(k * factor), state.folded)
    if mask is not None:
        hits = engine.search(queries, wanted, bits_of(mask[: state.folded]), parameters)
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
    dead = state.arrays.died[hits.slots] <= state.write
    dead &= hits.slots >= 0
    if not dead.any():
        return Hits(hits.slots[:, :k], hits.scores[:, :k])
    if dead.sum(axis=1).max() <= SPARE or state.stale <= SPARE:
        return without(hits, dead, k)
    return state.engine.search(queries, k, moment.alive_bits, parameters)


def _of_fresh(moment: Moment, queries: Floats, k: int, mask: Mask | None) -> Hits:
    state = moment.state
    first, size = state.folded, state.size
    living = moment.fresh_alive if mask is None else mask[first:]
    bits = None if living is None else bits_of(living)
    vectors = state.arrays.vectors[first:size]
    hits = scored(vectors, queries, min(k, size - first), bits, state.config.threads)
    return Hits(np.where(hits.slots >= 0, hits.slots + first, -1), hits.scores)


def _completed(moment: Moment, hits: Hits, queries: Floats, k: int, mask: Mask | None) -> Hits:
    """Scores everything for the queries that came out with fewer than k."""
    hits = widened(hits, k)
    short = hits.slots[:, -1] < 0
    if not short.any():
        return hits
    rest = all_scored(moment, np.ascontiguousarray(queries[short]), k, mask)
    hits.slots[short], hits.scores[short] = rest
    return hits
