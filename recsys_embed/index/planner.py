"""How a search with a filter goes: by scoring what matches, or by the engine among what matches."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes import Columns
from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.protocol import Floats, Hits, Slots
from recsys_embed.index.moment import Moment
from recsys_embed.index.ranking import gathered, nothing, widened, without
from recsys_embed.index.searching import Mask, nearest
from recsys_embed.index.state import State

LONG = 1024  # ids to keep out of one query's results, beyond which they become a mask of its own


class Where(Protocol):
    """What a filter must be: `recsys_embed.index.filters` has one."""

    def mask(self, columns: Columns, size: int) -> NDArray[np.bool_]:
        """Tells of the first `size` slots which ones match."""


class Planned(NamedTuple):
    """Hits and how they came about; `filtered` as in `Found`."""

    hits: Hits
    exact: bool
    filtered: int
    plan: str


def search(
    moment: Moment,
    queries: Floats,
    k: int,
    where: Where | None,
    exclude: Sequence[NDArray[np.int64]] | None,
    parameters: Parameters,
) -> Planned:
    """Finds the best that match and are not excluded; min(k, what there is) of each query.

    Args:
        moment: the state to search.
        queries: float32 (Q, D), checked.
        k: at least 1.
        where: None: everything matches.
        exclude: ids to keep out, one array a query; None: none.
        parameters: in place of the tuned ones.
    """
    mask = None if where is None else admitted(moment, where)
    if exclude is None:
        return _among(moment, queries, k, mask, parameters)
    unwanted = [_slots_of(moment, ids, mask) for ids in exclude]
    longest = max(map(len, unwanted), default=0)
    if longest > LONG:
        return _one_by_one(moment, queries, k, mask, unwanted, parameters)
    found = _among(moment, queries, k + longest, mask, parameters)
    hits = without(found.hits, _hit(found.hits.slots, unwanted), k)
    return found._replace(hits=widened(hits, k), filtered=found.filtered + longest)


def admitted(moment: Moment, where: Where) -> Mask:
    """Tells which slots are alive and match, (size,)."""
    state = moment.state
    matching = where.mask(state.items.columns, state.size)
    return matching if state.alive == state.size else matching & moment.alive


def _among(
    moment: Moment, queries: Floats, k: int, mask: Mask | None, parameters: Parameters
) -> Planned:
    state = moment.state
    if mask is None:
        hits = nearest(moment, queries, k, parameters)
        exact = parameters.exact or state.engine.is_exact
        return Planned(hits, exact, 0, "exact" if exact else state.engine.kind)
    matches = int(np.count_nonzero(mask))
    filtered, share = state.alive - matches, matches / max(1, state.alive)
    if not matches:
        return Planned(nothing(len(queries), k), True, filtered, "gather")
    if _gathering_is_faster(state, matches, len(queries), parameters):
        hits = gathered(np.flatnonzero(mask), state.arrays.vectors, queries, k)
        return Planned(widened(hits, k), True, filtered, "gather")
    exact = parameters.exact or state.engine.is_exact
    chosen = state.tuning.scaled(state.engine.parameters, parameters, share)
    hits = nearest(moment, queries, k, chosen, mask)
    return Planned(hits, exact, filtered, "exact" if exact else state.engine.kind)


def _gathering_is_faster(state: State, matches: int, queries: int, parameters: Parameters) -> bool:
    costs, tuning, share = state.tuning.costs, state.tuning, matches / state.alive
    gathering = costs.of_gathering(matches, queries)
    if parameters.exact:
        return gathering < costs.of_gathering(state.size, queries)
    steps = tuning.steps(state.engine.parameters, parameters, share)
    return gathering < costs.of_searching(steps, queries)


def _one_by_one(
    moment: Moment,
    queries: Floats,
    k: int,
    mask: Mask | None,
    unwanted: list[Slots],
    parameters: Parameters,
) -> Planned:
    parts = []
    for query, slots in zip(queries, unwanted, strict=True):
        own = (moment.alive if mask is None else mask).copy()
        own[slots] = False
        parts.append(_among(moment, query[None], k, own, parameters))
    hits = Hits(*(np.concatenate(part) for part in zip(*(p.hits for p in parts), strict=True)))
    exact = all(part.exact for part in parts)
    filtered = max(part.filtered for part in parts)
    return Planned(hits, exact, filtered, max(part.plan for part in parts))


def _slots_of(moment: Moment, ids: NDArray[np.int64], mask: Mask | None) -> Slots:
    """Gives the slots of those ids that a search could find."""
    state = moment.state
    slots = np.unique(state.items.newest_below(ids, state.size))
    slots = slots[slots >= 0]
    slots = slots[state.arrays.died[slots] > state.write]
    return slots if mask is None else slots[mask[slots]]


def _hit(slots: Slots, unwanted: list[Slots]) -> Mask:
    rows = [np.isin(row, chosen) for row, chosen in zip(slots, unwanted, strict=True)]
    return np.stack(rows) if rows else np.zeros(slots.shape, bool)
