"""Merging the clusters whose merger harms modularity least, until so many rows are fewer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, triu

from recsys_embed.graphhash.interactions import Bipartite

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class Excess:
    """How many rows are too many: of users, of items, of both together; None: no matter.

    Args:
        users: rows of users.
        items: rows of items.
        total: rows of either.
    """

    users: int | None = None
    items: int | None = None
    total: int | None = None

    def allows(self, users: int, items: int) -> bool:
        """Says whether so many rows may go, and whether that helps."""
        asked = [
            (gone, limit)
            for gone, limit in (
                (users, self.users),
                (items, self.items),
                (users + items, self.total),
            )
            if limit is not None
        ]
        return all(gone <= limit for gone, limit in asked) and any(gone for gone, _ in asked)

    def take(self, users: int, items: int) -> None:
        """Counts rows that have gone."""
        self.users = None if self.users is None else self.users - users
        self.items = None if self.items is None else self.items - items
        self.total = None if self.total is None else self.total - users - items

    @property
    def most(self) -> int:
        """The largest number of rows that is left to go."""
        return max(e for e in (self.users, self.items, self.total, 0) if e is not None)


def merged(
    graph: Bipartite, users: Numbers, items: Numbers, penalty: float, excess: Excess
) -> Numbers:
    """Merges clusters pair by pair, best first, as far as `excess` allows; uses `excess` up.

    Merging a and b adds w_ab + w_ba - penalty * (U_a I_b + U_b I_a) to m times the modularity, for
    weights w between their users and items and summed degrees U and I.

    Args:
        graph: the interactions.
        users: (U,), the cluster of each user, -1 for isolated ones.
        items: (I,), that of each item.
        penalty: resolution / m.
        excess: rows to lose.

    Returns:
        (C,), the cluster that each of the C clusters is now part of, dense from 0.
    """
    num = int(max(users.max(), items.max())) + 1
    of_users = _sums(users, graph.user_degrees, num)
    of_items = _sums(items, graph.item_degrees, num)
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    ends = (users[graph.users], items[graph.items])
    links = csr_array(coo_array((weights.astype(np.float64), ends), shape=(num, num)))
    into = np.arange(num)
    while excess.most:
        pairs = _ranked(links, of_users, of_items, penalty, excess.most)
        step = _round(pairs, of_users > 0, of_items > 0, excess)
        if step is None:
            break
        into = step[into]
        count = int(step.max()) + 1
        of_users, of_items = _sums(step, of_users, count), _sums(step, of_items, count)
        sides = csr_array((np.ones(len(step)), (step, np.arange(len(step)))))
        links = csr_array(sides @ links @ sides.T)
    return into


def _ranked(links: csr_array, users: Floats, items: Floats, penalty: float, wanted: int) -> Numbers:
    """Gives pairs (P, 2) of clusters, best first: linked ones, and the lightest of each side."""
    both = triu(links + links.T, 1).tocoo()
    light = [_lightest(side > 0, users + items, wanted) for side in (users, items)]
    pairs = np.concatenate([np.stack(both.coords, 1), *light]).astype(np.int64)
    joined = np.zeros(len(pairs))
    joined[: both.nnz] = both.data
    a, b = pairs.T
    gains = joined - penalty * (users[a] * items[b] + users[b] * items[a])
    weights = users[a] + users[b] + items[a] + items[b]
    return pairs[np.lexsort((weights, -gains))]  # among equal gains the lightest


def _lightest(counts: NDArray[np.bool_], weights: Floats, wanted: int) -> Numbers:
    clusters = np.flatnonzero(counts)
    light = clusters[np.argsort(weights[clusters], kind="stable")[: 2 * wanted + 2]]
    return np.stack([light[:-1], light[1:]], 1)


def _round(
    pairs: Numbers, has_users: NDArray[np.bool_], has_items: NDArray[np.bool_], excess: Excess
) -> Numbers | None:
    """Merges disjoint pairs, half of those wanted, so that later rounds see what these changed."""
    into = np.arange(len(has_users))
    is_used = np.zeros(len(into), np.bool_)
    enough = (excess.most + 1) // 2
    for a, b in _one_by_one(pairs):
        fewer = int(has_users[a] and has_users[b]), int(has_items[a] and has_items[b])
        if is_used[a] or is_used[b] or not excess.allows(*fewer):
            continue
        excess.take(*fewer)
        into[b] = a
        is_used[[a, b]] = True
        enough -= 1
        if not enough:
            break
    return np.unique(into, return_inverse=True)[1] if is_used.any() else None


def _one_by_one(pairs: Numbers) -> Iterator[list[int]]:
    for start in range(0, len(pairs), 4096):  # most often the first few do
        yield from pairs[start : start + 4096].tolist()


def _sums(clusters: Numbers, values: Floats, count: int) -> Floats:
    known = clusters >= 0
    return np.bincount(clusters[known], values[known], count).astype(np.float64)
