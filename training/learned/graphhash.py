"""GraphHash by who interacted with what in the train part."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.graphhash import RowBudget, cluster, cluster_to_budget, from_arrays
from recsys_embed.row_maps import GraphHash
from training.learned.log import TrainingLog


@dataclass(frozen=True)
class LearnedGraphHash:
    """Clusters the ids of a table by the ids of another feature in the same training events.

    Args:
        by: the other feature, such as the items where the table is the users'.
        rows: clusters of the table, exactly; or
        resolution: of the modularity; then the graph decides.
        positives: whether events of label 0 are left out.
        method: "leiden" or "louvain".
        seed: of the clustering, and of the rows of ids that training lacks.
    """

    kind: ClassVar[str] = "graphhash"
    is_double: ClassVar[bool] = False
    by: str
    rows: int | None = None
    resolution: float | None = None
    positives: bool = True
    method: Literal["leiden", "louvain"] = "leiden"
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.resolution is None):
            raise ConfigError(
                f"{self.kind} needs either rows or resolution,"
                f" got {self.rows} and {self.resolution}"
            )

    def learn(self, log: TrainingLog, table: str) -> GraphHash:
        """Builds the graph of the table's first feature with `by`, and clusters it."""
        users, items = self._pairs(log, log.features_of[table][0])
        graph = from_arrays(users, items)
        if self.resolution is not None:
            found = cluster(graph, self.resolution, method=self.method, seed=self.seed)
        else:
            budget = RowBudget(users=self.rows)
            found = cluster_to_budget(graph, budget, method=self.method, seed=self.seed)
        return found.row_map("users", double=self.is_double, seed=self.seed)

    def _pairs(self, log: TrainingLog, feature: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Gives each id of an event with each id of `by` there."""
        events, ids = log.ids(feature)
        if self.positives:
            kept = log.events.labels[events] > 0
            events, ids = events[kept], ids[kept]
        bags = log.events.bags[log.checked(self.by)]
        positions, lengths = bags.positions(events)
        return np.repeat(ids, lengths), bags.values[positions]


@dataclass(frozen=True)
class LearnedDoubleGraphHash(LearnedGraphHash):
    """Adds a hashed row to the cluster's."""

    kind: ClassVar[str] = "double_graphhash"
    is_double: ClassVar[bool] = True
