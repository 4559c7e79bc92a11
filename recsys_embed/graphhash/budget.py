"""Exactly as many rows as were asked for: a search over the resolution, then a few mergers."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.graphhash.clustering import Clustering, Part, cluster, clustering_of
from recsys_embed.graphhash.engines import Method
from recsys_embed.graphhash.interactions import Bipartite
from recsys_embed.graphhash.merging import Excess, merged

LOWEST_RESOLUTION = 1e-3
MAX_TRIALS = 12
CLOSE = 0.005  # so few rows too many, as a share, are merged rather than searched away
Report = Callable[[Clustering], None]


@dataclass(frozen=True)
class RowBudget:
    """How many rows there shall be: of users, of items, of each, or of both together.

    Args:
        users: rows of the users' table.
        items: rows of the items' table.
        total: rows of both tables; then the graph decides how they divide.

    Example:
        >>> RowBudget(total=10_000)
        RowBudget(users=None, items=None, total=10000)
    """

    users: int | None = None
    items: int | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        given = [n for n in (self.users, self.items, self.total) if n is not None]
        if not given or min(given) < 1 or (self.total is not None and len(given) > 1):
            raise ConfigError(
                "a row budget must be positive and name users, items or both, or else their total;"
                f" got users={self.users}, items={self.items}, total={self.total}"
            )

    def excess(self, users: int, items: int) -> Excess:
        """Gives how many of so many rows are too many, below 0 where there are too few."""
        return Excess(
            None if self.users is None else users - self.users,
            None if self.items is None else items - self.items,
            None if self.total is None else users + items - self.total,
        )


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

    best = _coarsest(graph, budget, tried, 1.0 if start is None else start.resolution)
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


def _coarsest(
    graph: Bipartite, budget: RowBudget, tried: Callable[..., Clustering], first: float
) -> Clustering:
    """Searches the resolution for enough rows and as few too many as may be."""
    highest = _all_apart(graph)
    fine: Clustering | None = None
    coarse: Clustering | None = None
    resolution = min(first, highest)
    for trial in range(MAX_TRIALS):
        found = tried(resolution)
        if (lack := _lack(found, budget)) > 0:
            coarse = found if coarse is None or resolution > coarse.resolution else coarse
        elif fine is None or lack > _lack(fine, budget):
            fine = found
        if fine is None:
            if resolution >= highest:
                break
            resolution = min(resolution * _step(lack, trial), highest)
        elif _lack(fine, budget) > -CLOSE or resolution <= LOWEST_RESOLUTION:
            break
        elif coarse is None:
            resolution = max(fine.resolution / _step(_lack(fine, budget), trial), LOWEST_RESOLUTION)
        elif fine.resolution < 1.01 * coarse.resolution:
            break
        else:
            resolution = _between(coarse, fine, budget)
    # without the start: nobody leaves a cluster in which it neither gains nor loses
    return tried(highest, None) if fine is None else fine


def _lack(found: Clustering, budget: RowBudget) -> float:
    """Gives the logarithm of the rows wanted over those found, where most are missing."""
    users, items = found.users.num_rows, found.items.num_rows
    asked = ((budget.users, users), (budget.items, items), (budget.total, users + items))
    return max(math.log(wanted / found) for wanted, found in asked if wanted is not None)


def _step(lack: float, trial: int) -> float:
    """Gives the factor to go on by: rows grow about as a power of the resolution, at first."""
    return min(max(math.exp(1.5 * abs(lack)), 1.05 * 1.3**trial), 8.0)


def _between(coarse: Clustering, fine: Clustering, budget: RowBudget) -> float:
    """Gives the resolution where a power law through both has the budget, a bit above."""
    low, high = math.log(coarse.resolution), math.log(fine.resolution)
    few, many = _lack(coarse, budget), _lack(fine, budget)
    return math.exp(low + min(max(few / (few - many) + 0.02, 0.1), 0.9) * (high - low))


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


def _all_apart(graph: Bipartite) -> float:
    """Gives the resolution above which every edge weighs less than chance has it."""
    weights = 1.0 if graph.weights is None else graph.weights.astype(np.float64)
    degrees = graph.user_degrees[graph.users] * graph.item_degrees[graph.items]
    return 1.001 * graph.total_weight * float((weights / degrees).max())
