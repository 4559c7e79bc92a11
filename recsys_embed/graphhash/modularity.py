"""Barber's bipartite modularity with a resolution."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.graphhash.interactions import Bipartite


def modularity(
    graph: Bipartite,
    user_clusters: NDArray[np.integer],
    item_clusters: NDArray[np.integer],
    resolution: float = 1.0,
) -> float:
    """Gives the share of weight inside clusters, less resolution times what chance would put there.

    Q = 1/m sum over u, i of one cluster of R_ui - resolution * d_u d_i / m (Barber, Phys. Rev. E
    76, 066102, eq. 12, with the resolution of Reichardt and Bornholdt, Phys. Rev. E 74, 016110).

    Args:
        graph: the interactions.
        user_clusters: (U,), one of at least 0 a user; -1 for isolated ones.
        item_clusters: (I,) likewise.
        resolution: of the null model.

    Example:
        >>> from recsys_embed.graphhash import from_arrays
        >>> modularity(from_arrays([1, 2], [10, 20]), np.array([0, 1]), np.array([0, 1]))
        0.5
    """
    inside = user_clusters[graph.users] == item_clusters[graph.items]
    total = graph.total_weight
    within = inside.sum() if graph.weights is None else graph.weights[inside].sum(dtype=np.float64)
    known = user_clusters >= 0, item_clusters >= 0
    num = int(max(user_clusters.max(), item_clusters.max())) + 1
    of_users = np.bincount(user_clusters[known[0]], graph.user_degrees[known[0]], num)
    of_items = np.bincount(item_clusters[known[1]], graph.item_degrees[known[1]], num)
    return float(within / total - resolution * (of_users @ of_items) / total**2)
