"""Ids that come after the clustering join a cluster by the vote of their first edges."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from recsys_embed.graphhash.clusters import Clustering, Labels, Part, clusters_of
from recsys_embed.graphhash.interactions import Bipartite

Floats = NDArray[np.float64]


def join(clustering: Clustering, graph: Bipartite) -> Clustering:
    """Gives ids without a cluster the one where they would raise modularity most.

    A new user u joins the cluster c of the largest sum over its items i in c of R_ui, less
    resolution * d_u d_c / m, d_c being the summed degrees of c's items; the lowest c where several
    are equal. Only clusters with an item of u's and a row for users count. New items join
    likewise. Nobody who has a cluster moves, and c's weights stay those of the clustering, so that
    neither the order of the newcomers nor their number matters. An id without an edge to anybody
    known stays without a cluster: its row map hashes it until it has one.

    Args:
        clustering: the clusters and their rows.
        graph: first interactions of the newcomers; others in it are passed over.

    Example:
        >>> from recsys_embed.graphhash import cluster, from_arrays
        >>> old = cluster(from_arrays([1, 1, 2, 2, 3], [10, 11, 10, 11, 12]))
        >>> new = join(old, from_arrays([9, 8], [12, 99]))
        >>> new.users.ids.tolist(), new.users.known_rows.tolist()
        ([1, 2, 3, 9], [0, 0, 1, 1])
    """
    users = clusters_of(clustering.users, graph.user_ids)
    items = clusters_of(clustering.items, graph.item_ids)
    penalty = clustering.resolution / clustering.total_weight
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    of_users = _votes(
        graph.users,
        items[graph.items],
        weights,
        penalty * graph.user_degrees,
        clustering.items.weights,
        clustering.users.rows,
    )
    of_items = _votes(
        graph.items,
        users[graph.users],
        weights,
        penalty * graph.item_degrees,
        clustering.users.weights,
        clustering.items.rows,
    )
    return dataclasses.replace(
        clustering,
        users=_joined(clustering.users, graph.user_ids, np.where(users < 0, of_users, -1)),
        items=_joined(clustering.items, graph.item_ids, np.where(items < 0, of_items, -1)),
    )


def _votes(
    nodes: Labels,
    clusters: Labels,
    weights: NDArray[np.floating],
    penalties: Floats,
    cluster_weights: Floats,
    rows: Labels,
) -> Labels:
    """Gives each node the cluster that its edges (E,) vote for, -1 where none may."""
    counts = (clusters >= 0) & (rows[clusters] >= 0)
    num = len(rows)
    pairs, at = np.unique(
        nodes[counts].astype(np.int64) * num + clusters[counts], return_inverse=True
    )
    sums = np.bincount(at, weights[counts], len(pairs))
    voters, choices = np.divmod(pairs, num)
    gains = sums - penalties[voters] * cluster_weights[choices]
    order = np.lexsort((choices, -gains, voters))
    first, at_first = np.unique(voters[order], return_index=True)
    chosen = np.full(len(penalties), -1, np.int32)
    chosen[first] = choices[order][at_first]
    return chosen


def _joined(part: Part, ids: NDArray[np.int64], clusters: NDArray[np.integer]) -> Part:
    joins = clusters >= 0
    every = np.union1d(part.ids, ids[joins])
    held = np.full(len(every), -1, np.int32)
    held[np.searchsorted(every, part.ids)] = part.clusters
    held[np.searchsorted(every, ids[joins])] = clusters[joins]
    return dataclasses.replace(part, ids=every, clusters=held)
