"""From interactions to clusters of users and items."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.graphhash.clusters import Clustering, Labels, Part, clusters_of
from recsys_embed.graphhash.engines import Method, engine_named
from recsys_embed.graphhash.interactions import Bipartite
from recsys_embed.graphhash.modularity import modularity


def cluster(
    graph: Bipartite,
    resolution: float = 1.0,
    *,
    method: Method = "leiden",
    engine: str = "native",
    iterations: int = 2,
    seed: int = 0,
    start: Clustering | None = None,
) -> Clustering:
    """Finds clusters of users and items that interact with each other more than chance has it.

    Maximizes Barber's modularity with a resolution (Phys. Rev. E 76, 066102, eq. 12;
    GraphHash, arXiv 2412.17245, §4): the sum over pairs of one cluster of
    R_ui / m - resolution * d_u d_i / m^2. Equal calls give equal clusters.

    Args:
        graph: the interactions.
        resolution: above 0; the higher, the more and the smaller the clusters.
        method: "leiden" (arXiv 1810.08473) or "louvain" (arXiv 0803.0476).
        engine: "native", or "igraph", which has Leiden alone.
        iterations: how often the clusters found are improved from the nodes up; at least 1.
        seed: of the order in which nodes are visited.
        start: clusters to begin with, by id; ids that it lacks begin alone.

    Raises:
        InputError: for a resolution, number or name out of range.

    Example:
        >>> from recsys_embed.graphhash import from_arrays
        >>> found = cluster(from_arrays([1, 1, 2, 2, 3], [10, 11, 10, 11, 12]))
        >>> found.num_clusters, found.users.clusters.tolist()
        (2, [0, 0, 1])
    """
    if not 0 < resolution < np.inf:
        raise InputError(f"resolution must be above 0 and finite, got {resolution}")
    if iterations < 1 or not 0 <= seed < 2**63:
        raise InputError(
            f"iterations must be at least 1 and the seed in [0, 2^63), got {iterations} and {seed}"
        )
    find = engine_named(engine, method)
    begin = None if start is None else labels_in(start, graph)
    labels = find(graph, resolution, iterations, seed, begin)
    return clustering_of(graph, labels, resolution)


def clustering_of(graph: Bipartite, labels: NDArray[np.integer], resolution: float) -> Clustering:
    """Builds a clustering from a label (U + I,) for each user, then each item.

    Clusters are numbered by their first id in that order, rows by their clusters.
    """
    degrees = np.concatenate([graph.user_degrees, graph.item_degrees])
    clusters = np.full(len(labels), -1, np.int32)
    _, first, dense = np.unique(labels[degrees > 0], return_index=True, return_inverse=True)
    clusters[degrees > 0] = np.argsort(np.argsort(first))[dense]
    num, split = len(first), len(graph.user_ids)
    users = _part(graph.user_ids, clusters[:split], degrees[:split], num)
    items = _part(graph.item_ids, clusters[split:], degrees[split:], num)
    quality = modularity(graph, users.clusters, items.clusters, resolution)
    return Clustering(users, items, resolution, quality, graph.total_weight)


def labels_in(clustering: Clustering, graph: Bipartite) -> NDArray[np.uint32]:
    """Gives the nodes (U + I,) of a graph the clusters that their ids have; others are alone."""
    labels = np.concatenate(
        [
            clusters_of(clustering.users, graph.user_ids),
            clusters_of(clustering.items, graph.item_ids),
        ]
    ).astype(np.int64)
    alone = labels < 0
    labels[alone] = clustering.num_clusters + np.arange(int(alone.sum()))
    return np.unique(labels, return_inverse=True)[1].astype(np.uint32)


def _part(ids: NDArray[np.int64], clusters: Labels, degrees: NDArray[np.float64], num: int) -> Part:
    known = clusters >= 0
    weights = np.bincount(clusters[known], degrees[known], num).astype(np.float64)
    rows = np.full(num, -1, np.int32)
    taken = np.unique(clusters[known])
    rows[taken] = np.arange(len(taken), dtype=np.int32)
    return Part(ids, clusters, weights, rows)
