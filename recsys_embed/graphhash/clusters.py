"""A clustering: what is known of each side, and the rows that its clusters become."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.row_maps import DoubleGraphHash, GraphHash

Side = Literal["users", "items"]
Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Part:
    """One side of a clustering.

    Args:
        ids: int64 (K,), ascending.
        clusters: int32 (K,), each id's cluster; -1 for one without an edge.
        weights: float64 (C,), the summed degrees of each cluster's ids on this side.
        rows: int32 (C,), the row of each cluster; -1 for one without an id on this side.
    """

    ids: NDArray[np.int64]
    clusters: Labels
    weights: NDArray[np.float64]
    rows: Labels

    @property
    def num_rows(self) -> int:
        """How many rows are taken."""
        return len(np.unique(self.rows[self.rows >= 0]))

    @property
    def known(self) -> NDArray[np.int64]:
        """The ids that have a cluster."""
        return self.ids[self.clusters >= 0]

    @property
    def known_rows(self) -> Labels:
        """The rows of `known`."""
        return self.rows[self.clusters[self.clusters >= 0]]


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters 0 to C - 1 of users and items together; users and items have rows of their own.

    Args:
        users: the user side.
        items: the item side.
        resolution: at which it was found.
        modularity: that of the clusters on the graph they were found in.
        total_weight: that of the graph's edges.
    """

    users: Part
    items: Part
    resolution: float
    modularity: float
    total_weight: float

    @property
    def num_clusters(self) -> int:
        """C."""
        return len(self.users.rows)

    def row_map(self, side: Side, *, double: bool = False, seed: int = 0) -> GraphHash:
        """Gives the row map of the users or of the items.

        Args:
            side: "users" or "items".
            double: whether a hashed row is added to the cluster's (DoubleGraphHash).
            seed: of the rows that ids without a cluster get, and of the added ones.
        """
        part = self.users if side == "users" else self.items
        kind = DoubleGraphHash if double else GraphHash
        return kind.of(part.known, part.known_rows, seed=seed)


def clusters_of(part: Part, ids: NDArray[np.int64]) -> Labels:
    """Gives each id its cluster, -1 where it has none."""
    at = np.minimum(np.searchsorted(part.ids, ids), len(part.ids) - 1)
    return np.where(part.ids[at] == ids, part.clusters[at], np.int32(-1))
