"""From query vectors to the best items of each question; questions alike share a search."""

from collections.abc import Hashable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recsys_embed.index.config import MAX_K
from recsys_embed.index.filters import Predicate
from serving.retrieval.asked import Ask, Floats, Ids
from serving.retrieval.errors import AskError
from serving.retrieval.query import Query
from serving.retrieval.version import Version

if TYPE_CHECKING:
    from recsys_embed.index.found import Found
    from recsys_embed.index.view import View

POOL = 4  # times K: what diversity chooses from where the question does not say


class Prepared(NamedTuple):
    """A question that nothing is left to refuse of.

    Args:
        pool: items to fetch: K, or more where they are to be diverse.
        where: the filter, read.
        tower_s: seconds that it took until the query vectors were there.
    """

    ask: Ask
    query: Query
    pool: int
    where: Predicate | None
    tower_s: float


class Searched(NamedTuple):
    """What the index gave for a question: items (C,), each once, the best first.

    Args:
        view: that was searched.
        of: the number of the query vector that each item scored best with (C,).
        seconds: of the search, with the questions that shared it.
    """

    prepared: Prepared
    view: "View"
    ids: Ids
    scores: Floats
    of: Ids
    exact: bool
    searched: int
    filtered: int
    plan: str
    seconds: float

    @property
    def query(self) -> Query:
        """What was searched with."""
        return self.prepared.query


def pool_of(ask: Ask) -> int:
    """Says how many items to fetch for a question.

    Raises:
        AskError: for a K or pool out of range.
    """
    if not 1 <= ask.k <= MAX_K:
        raise AskError(f"k must be between 1 and {MAX_K:,}, got {ask.k}")
    if ask.diversity is None:
        return ask.k
    pool = ask.diversity.pool
    if pool is not None and not ask.k <= pool <= MAX_K:
        raise AskError(f"the pool must be between k, {ask.k}, and {MAX_K:,}, got {pool}")
    return pool or min(POOL * ask.k, MAX_K)


def search(prepared: Sequence[Prepared]) -> list[Searched]:
    """Finds the best items for questions; those that are alike in one search of their index."""
    # before the first is searched: what is written meanwhile, all see or none
    views = {_version(one).name: _version(one).live.view() for one in prepared}
    alike = dict[Hashable, list[int]]()
    for at, one in enumerate(prepared):
        alike.setdefault(_kind(one, at), []).append(at)
    found = dict[int, Searched]()
    for places in alike.values():
        view = views[_version(prepared[places[0]]).name]
        found |= zip(places, _search([prepared[at] for at in places], view), strict=True)
    return [found[at] for at in range(len(prepared))]


def _kind(one: Prepared, at: int) -> Hashable:
    """Tells questions apart that cannot share a search: what is excluded is each one's own."""
    own = at if len(one.query.exclude) else -1
    return _version(one).name, one.pool, one.where, one.ask.parameters, own


def _version(one: Prepared) -> Version:
    return one.query.serving.version


def _search(alike: Sequence[Prepared], view: "View") -> Iterator[Searched]:
    _, query, pool, where, _ = alike[0]
    vectors = np.concatenate([one.query.vectors for one in alike])
    exclude = [np.unique(query.exclude)] * len(vectors) if len(query.exclude) else None
    started = perf_counter()
    found = view.search(
        vectors, pool, where=where, exclude=exclude, parameters=alike[0].ask.parameters
    )
    seconds, start = perf_counter() - started, 0
    query.serving.version.live.remember(vectors)
    for one in alike:
        stop = start + len(one.query.vectors)
        ids, scores, of = merged(_rows(found, start, stop), pool, one.ask)
        start = stop
        yield Searched(
            one, view, ids, scores, of,
            found.exact, found.searched, found.filtered, found.plan, seconds,
        )  # fmt: skip


def _rows(found: "Found", start: int, stop: int) -> "Found":
    rows = slice(start, stop)
    return found._replace(ids=found.ids[rows], scores=found.scores[rows], counts=found.counts[rows])


def merged(found: "Found", pool: int, ask: Ask) -> tuple[Ids, Floats, Ids]:
    """Makes one list of the results of several query vectors, as the question says."""
    count = len(found.ids)
    if count == 1:
        [n] = found.counts.tolist()
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
