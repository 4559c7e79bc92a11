"""The resolution at which there are as few rows too many as may be."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys_embed.errors import ConfigError
from recsys_embed.graphhash.clusters import Clustering
from recsys_embed.graphhash.interactions import Bipartite
from recsys_embed.graphhash.merging import Excess

LOWEST_RESOLUTION = 1e-3
MAX_TRIALS = 12
CLOSE = 0.005  # so few rows too many, as a share, are merged rather than searched away


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


def coarsest(
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


def _all_apart(graph: Bipartite) -> float:
    """Gives the resolution above which every edge weighs less than chance has it."""
    weights = 1.0 if graph.weights is None else graph.weights.astype(np.float64)
    degrees = graph.user_degrees[graph.users] * graph.item_degrees[graph.items]
    return 1.001 * graph.total_weight * float((weights / degrees).max())
