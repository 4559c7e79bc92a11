"""Bipartite modularity, votes and matchings as their definitions say, pair by pair."""

import itertools

import numpy as np


def modularity(matrix, user_clusters, item_clusters, resolution):
    """Sums Barber's terms over all pairs of a dense matrix (U, I)."""
    total = matrix.sum()
    quality = 0.0
    for user, item in itertools.product(*map(range, matrix.shape)):
        if user_clusters[user] == item_clusters[item]:
            chance = matrix[user].sum() * matrix[:, item].sum() / total
            quality += matrix[user, item] - resolution * chance
    return quality / total


def vote(edges, degree, clusters, cluster_weights, rows, resolution, total):
    """Gives the cluster of the highest gain for edges {other: weight}, -1 without any."""
    gains = {}
    for cluster in sorted({clusters[other] for other in edges if other in clusters}):
        if rows[cluster] >= 0:
            inside = sum(w for other, w in edges.items() if clusters.get(other) == cluster)
            gains[cluster] = inside - resolution * degree * cluster_weights[cluster] / total
    return max(gains, key=lambda c: (gains[c], -c)) if gains else -1


def most_kept(before, after, num):
    """Gives the most ids that can keep their row when new rows are renumbered below `num`."""
    return max(
        sum(numbers[new] == old for old, new in zip(before, after, strict=True))
        for numbers in itertools.permutations(range(num))
    )


def dense(graph):
    """Gives the weights of a graph as a matrix (U, I)."""
    matrix = np.zeros((len(graph.user_ids), len(graph.item_ids)))
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    matrix[graph.users, graph.items] = weights
    return matrix
