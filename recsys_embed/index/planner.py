"""How a search with a filter goes: by scoring what matches, or by the engine among what matches."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.protocol import Floats, Hits, Mask, Slots
from recsys_embed.index.moment import Admitted, Moment, Where
from recsys_embed.index.ranking import gathered, widened, without
from recsys_embed.index.searching import nearest

LONG = 1024  # ids to keep out of one query's results, beyond which they become a mask of its own

TUNED, EXACT = Parameters(), Parameters(exact=True)


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
    among = None if where is None else moment.admitted(where)
    if exclude is None:
        return _among(moment, queries, k, among, parameters)
    unwanted = [_slots_of(moment, ids, among) for ids in exclude]
    longest = max(map(len, unwanted), default=0)
    if longest > LONG:
        return _one_by_one(moment, queries, k, among, unwanted, parameters)
    found = _among(moment, queries, k + longest, among, parameters)
    hits = without(found.hits, _hit(found.hits.slots, unwanted), k)
    return found._replace(hits=widened(hits, k), filtered=found.filtered + longest)


def _among(
    moment: Moment, queries: Floats, k: int, among: Admitted | None, parameters: Parameters
) -> Planned:
    state = moment.state
    filtered = 0 if among is None else state.alive - among.count
    plan = _plan(moment, among, len(queries), parameters)
    if plan == "gather" and among is not None:
        hits = gathered(among.slots, state.arrays.vectors, queries, k)
        return Planned(widened(hits, k), True, filtered, plan)
    chosen = EXACT if plan == "exact" else parameters
    hits = nearest(moment, queries, k, chosen, among)
    return Planned(hits, plan == "exact", filtered, plan)


def _plan(moment: Moment, among: Admitted | None, queries: int, parameters: Parameters) -> str:
    """Chooses the fastest by measured costs; of exact ways only, if the engine is no faster."""
    state, costs = moment.state, moment.state.tuning.costs
    exact = parameters.exact or state.engine.is_exact
    if among is None or parameters not in (TUNED, EXACT):
        return "exact" if exact else state.engine.kind
    gathering = costs.of_gathering(among.count, queries)
    scanning = costs.of_scanning(state.size, queries)
    searching = costs.of_searching(among.count / max(1, state.alive), queries)
    if exact or min(gathering, scanning) <= searching:
        return "gather" if gathering <= scanning else "exact"
    return state.engine.kind


def _one_by_one(
    moment: Moment,
    queries: Floats,
    k: int,
    among: Admitted | None,
    unwanted: list[Slots],
    parameters: Parameters,
) -> Planned:
    parts = []
    for query, slots in zip(queries, unwanted, strict=True):
        mask = (among or moment.alive).mask.copy()
        mask[slots] = False
        own = Admitted(moment.state, mask)
        parts.append(_among(moment, query[None], k, own, parameters))
    slots = np.concatenate([part.hits.slots for part in parts])
    scores = np.concatenate([part.hits.scores for part in parts])
    exact = all(part.exact for part in parts)
    plan = max(parts, key=lambda part: not part.exact).plan
    return Planned(Hits(slots, scores), exact, max(part.filtered for part in parts), plan)


def _slots_of(moment: Moment, ids: NDArray[np.int64], among: Admitted | None) -> Slots:
    """Gives the slots of those ids that a search could find."""
    state = moment.state
    slots = np.unique(state.items.newest_below(ids, state.size))
    slots = slots[slots >= 0]
    slots = slots[state.arrays.died[slots] > state.write]
    return slots if among is None else slots[among.mask[slots]]


def _hit(slots: Slots, unwanted: list[Slots]) -> Mask:
    rows = [np.isin(row, chosen) for row, chosen in zip(slots, unwanted, strict=True)]
    return np.stack(rows) if rows else np.zeros(slots.shape, bool)
