"""From query vectors to the best items of each question; questions alike share a search."""

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recsys_embed.index.config import MAX_K
from recsys_embed.index.filters import parse
from serving.retrieval.asked import Ask, Floats, Ids
from serving.retrieval.errors import AskError
from serving.retrieval.query import Query

if TYPE_CHECKING:
    from recsys_embed.index.found import Found
    from recsys_embed.index.view import View

POOL = 4  # times K: what diversity chooses from where the question does not say


class Searched(NamedTuple):
    """What the index gave for a question: items (C,), each once, the best first.

    Args:
        view: that was searched.
        of: the number of the query vector that each item scored best with (C,).
    """

    query: Query
    view: "View"
    ids: Ids
    scores: Floats
    of: Ids
    exact: bool
    searched: int
    filtered: int
    plan: str
    seconds: float


def pool_of(ask: Ask) -> int:
    """Says how many items to fetch for a question: K, or more where they are to be diverse.

    Raises:
        AskError: for a K, pool or quota out of range.
    """
    if not 1 <= ask.k <= MAX_K:
        raise AskError(f"k must be between 1 and {MAX_K:,}, got {ask.k}")
    if ask.diversity is None:
        return ask.k
    pool = ask.diversity.pool
    if pool is not None and not ask.k <= pool <= MAX_K:
        raise AskError(f"the pool must be between k, {ask.k}, and {MAX_K:,}, got {pool}")
    return pool or min(POOL * ask.k, MAX_K)


def search(query: Query, ask: Ask) -> Searched:
    """Finds the best items for a question, at one moment of its index.

    Raises:
        AskError: for a number out of range.
        FilterError: for a filter that does not fit the index.
    """
    view, pool = query.serving.version.live.view(), pool_of(ask)
    where = None if ask.where is None else parse(ask.where, query.serving.parts.schema)
    count = len(query.vectors)
    exclude = [np.unique(query.exclude)] * count if len(query.exclude) else None
    started = perf_counter()
    found = view.search(
        query.vectors, pool, where=where, exclude=exclude, parameters=ask.parameters
    )
    ids, scores, of = merged(found, pool, ask)
    seconds = perf_counter() - started
    return Searched(
        query, view, ids, scores, of,
        found.exact, found.searched, found.filtered, found.plan, seconds,
    )  # fmt: skip


def merged(found: "Found", pool: int, ask: Ask) -> tuple[Ids, Floats, Ids]:
    """Makes one list of the results of several query vectors, as the question says."""
    count = len(found.ids)
    if count == 1:
        [n] = found.counts.tolist()
        if ask.combine == "quota":
            quotas_of(ask, 1)
        return found.ids[0, :n], found.scores[0, :n], np.zeros(n, np.int64)
    is_there = np.arange(found.ids.shape[1]) < found.counts[:, None]
    if ask.combine == "quota":
        is_there &= _within_quotas(found, quotas_of(ask, count))
    of = np.nonzero(is_there)[0]
    ids, scores = found.ids[is_there], found.scores[is_there]
    order = np.lexsort((of, -scores))
    _, first = np.unique(ids[order], return_index=True)
    best = order[np.sort(first)][:pool]
    return ids[best], scores[best], of[best]


def quotas_of(ask: Ask, count: int) -> Sequence[int]:
    """Gives how many items of each query vector are wanted.

    Raises:
        AskError: for quotas of another number or sum.
    """
    if ask.quotas is None:
        whole, more = divmod(ask.k, count)
        return [whole + (place < more) for place in range(count)]
    if len(ask.quotas) != count or min(ask.quotas) < 0 or sum(ask.quotas) != ask.k:
        raise AskError(
            f"expected {count} quotas of at least 0 that add up to k, {ask.k}, got"
            f" {list(ask.quotas)}"
        )
    return ask.quotas


def _within_quotas(found: "Found", quotas: Sequence[int]) -> Any:
    """Says which results count: of each vector, in turn, so many that none before it has taken."""
    taken, chosen = set[int](), np.zeros(found.ids.shape, np.bool_)
    for row, quota in enumerate(quotas):
        for column, id in enumerate(found.ids[row, : found.counts[row]].tolist()):
            if quota and id not in taken:
                taken.add(id)
                chosen[row, column] = True
                quota -= 1
    return chosen
