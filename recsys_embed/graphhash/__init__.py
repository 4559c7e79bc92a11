"""GraphHash: ids that interact with the same others share a row (arXiv 2412.17245).

Interactions become a bipartite graph, the graph clusters of high modularity, the clusters rows.
"""

from recsys_embed.graphhash.budget import cluster_to_budget
from recsys_embed.graphhash.clustering import cluster
from recsys_embed.graphhash.clusters import Clustering, Part
from recsys_embed.graphhash.files import read_clustering, write_clustering
from recsys_embed.graphhash.graphs import from_igraph, from_networkx, from_scipy
from recsys_embed.graphhash.interactions import Bipartite, from_arrays
from recsys_embed.graphhash.joining import join
from recsys_embed.graphhash.modularity import modularity
from recsys_embed.graphhash.refresh import Churn, Refreshed, refresh, with_old_rows
from recsys_embed.graphhash.searching import RowBudget
from recsys_embed.graphhash.tables import from_adjacency, from_frame, from_parquet

__all__ = [
    "Bipartite",
    "Churn",
    "Clustering",
    "Part",
    "Refreshed",
    "RowBudget",
    "cluster",
    "cluster_to_budget",
    "from_adjacency",
    "from_arrays",
    "from_frame",
    "from_igraph",
    "from_networkx",
    "from_parquet",
    "from_scipy",
    "join",
    "modularity",
    "read_clustering",
    "refresh",
    "with_old_rows",
    "write_clustering",
]
