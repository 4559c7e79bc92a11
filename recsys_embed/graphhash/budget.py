"""Exactly as many rows as were asked for: a search over the resolution, then a few mergers."""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.graphhash.clustering import cluster, clustering_of
from recsys_embed.graphhash.clusters import Clustering, Part
from recsys_embed.graphhash.engines import Method
from recsys_embed.graphhash.interactions import Bipartite
from recsys_embed.graphhash.merging import Excess, merged
from recsys_embed.graphhash.searching import RowBudget, coarsest

Report = Callable[[Clustering], None]


def cluster_to_budget(
    graph: Bipartite,
    budget: RowBudget,
    *,
    method: Method = "leiden",
    engine: str = "native",
    iterations: int = 2,
    seed: int = 0,
    start: Clustering | None = None,
    report: Report | None = None,
) -> Clustering:
    """Finds clusters with exactly the rows of the budget.

    The number of clusters grows with the resolution, neither steadily nor evenly: the search takes
    the coarsest clustering found with at least so many rows, and merges the clusters whose merger
    lowers modularity least. A last step may merge rows of one side alone: then their clusters
    remain two, with one row there.

    Args:
        graph: the interactions.
        budget: the rows.
        method: as for `cluster`.
        engine: as for `cluster`.
        iterations: as for `cluster`.
        seed: as for `cluster`.
        start: as for `cluster`; the search begins at its resolution.
        report: called with each clustering that is tried.

    Raises:
        InputError: for a budget out of reach, naming the range, and as `cluster` does.

    Example:
        >>> from recsys_embed.graphhash import from_arrays
        >>> graph = from_arrays([1, 2, 3, 4], [10, 20, 30, 40])
        >>> cluster_to_budget(graph, RowBudget(total=6)).num_clusters
        3
    """
    _refuse_out_of_reach(graph, budget)

    def tried(resolution: float, begin: Clustering | None = start) -> Clustering:
        found = cluster(
            graph,
            resolution,
            method=method,
            engine=engine,
            iterations=iterations,
            seed=seed,
            start=begin,
        )
        if report is not None:
            report(found)
        return found

    best = coarsest(graph, budget, tried, 1.0 if start is None else start.resolution)
    return _exactly(graph, budget, best)


def _refuse_out_of_reach(graph: Bipartite, budget: RowBudget) -> None:
    users = int((graph.user_degrees > 0).sum())
    items = int((graph.item_degrees > 0).sum())
    for name, wanted, low, high in (
        ("users", budget.users, 1, users),
        ("items", budget.items, 1, items),
        ("users and items together", budget.total, 2, users + items),
    ):
        if wanted is not None and not low <= wanted <= high:
            raise InputError(
                f"rows of {name} can be {low} to {high}, as many as have interactions;"
                f" {wanted} were asked for"
            )


def _exactly(graph: Bipartite, budget: RowBudget, found: Clustering) -> Clustering:
    """Merges what is too many: clusters as long as both sides profit, then rows of one side."""
    penalty = found.resolution / found.total_weight
    both = budget.excess(found.users.num_rows, found.items.num_rows)
    if both.users is not None and both.items is not None:
        least = min(both.users, both.items)
        both = Excess(least, least)
    labels = _merged_labels(graph, found, penalty, both)
    whole = clustering_of(graph, labels, found.resolution)
    left = budget.excess(whole.users.num_rows, whole.items.num_rows)
    if left.total:
        side = "users" if whole.users.num_rows > 1 else "items"
        left = Excess(**{side: left.total})
    users, items = whole.users, whole.items
    if left.users:
        users = _with_fewer_rows(graph, whole, users, penalty, Excess(users=left.users))
    if left.items:
        items = _with_fewer_rows(graph, whole, items, penalty, Excess(items=left.items))
    return dataclasses.replace(whole, users=users, items=items)


def _merged_labels(
    graph: Bipartite, found: Clustering, penalty: float, excess: Excess
) -> NDArray[np.int64]:
    users = found.users.clusters.astype(np.int64)
    items = found.items.clusters.astype(np.int64)
    into = merged(graph, users, items, penalty, excess)
    labels = np.concatenate([users, items])
    return np.where(labels < 0, -1, into[labels])


def _with_fewer_rows(
    graph: Bipartite, whole: Clustering, part: Part, penalty: float, excess: Excess
) -> Part:
    clusters = whole.users.clusters.astype(np.int64), whole.items.clusters.astype(np.int64)
    into = merged(graph, *clusters, penalty, excess)
    has_row = part.rows >= 0
    rows = part.rows.copy()
    rows[has_row] = np.unique(into[has_row], return_inverse=True)[1]
    return dataclasses.replace(part, rows=rows)
