"""GraphHash: ids that interact with the same others share a row."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.hashed import bucket, check_seed, salt
from recsys_embed.row_maps.learned import Learned, check_sorted, digest_of, known_or
from recsys_embed.row_maps.protocol import MAX_ROWS, RowIds, interleaved, single


@dataclass(frozen=True)
class GraphHash(Learned):
    """Gives a known id its cluster's row, and any other id one of the same rows by hashing.

    Wu et al., GraphHash, arXiv 2412.17245, §4.

    Example:
        >>> clusters = GraphHash.of(ids=[30, 10, 20], clusters=[0, 1, 1])
        >>> clusters.map(np.array([10, 20, 30])).rows, clusters.num_rows
        (array([[1, 1, 0]]), 2)
    """

    kind: ClassVar[str] = "graphhash"
    columns: ClassVar[dict[str, str]] = {"ids": "<i8", "clusters": "<u4"}
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)

    @classmethod
    def of(cls, ids: ArrayLike, clusters: ArrayLike, *, seed: int = 0) -> Self:
        """Builds the map from distinct ids (K,) and their clusters (K,), 0 to C - 1.

        Raises:
            ConfigError: for lengths that differ, ids that repeat, or no id at all.
        """
        arrays = sorted_arrays(ids, clusters, "clusters")
        rows = int(arrays["clusters"].max(initial=0)) + 1
        return cls(rows, digest_of(arrays), seed=seed).with_arrays(arrays)

    def check(self) -> None:
        """Refuses clusters that are not rows.

        Raises:
            ConfigError: naming both numbers.
        """
        check_sorted(self.kind, self.array("ids"), self.array("clusters"), "clusters")
        highest = int(self.array("clusters").max(initial=0))
        if highest >= self.rows:
            raise ConfigError(
                f"{self.kind} row map of {self.rows} rows has cluster {highest}; the map does not"
                " fit its table"
            )

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the cluster's row."""
        return single(self.cluster_rows(ids))

    def cluster_rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gives each id's cluster, or mix(id, seed) mod rows where it has none."""
        return known_or(
            self.places(ids),
            self.array("clusters"),
            lambda unknown: bucket(ids[unknown], self.seed, self.rows),
        )


@dataclass(frozen=True)
class DoubleGraphHash(GraphHash):
    """Adds a hashed row of the same table to the cluster's, so that the ids of a cluster differ.

    Wu et al., GraphHash, arXiv 2412.17245, §4.3.
    """

    kind: ClassVar[str] = "double_graphhash"

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the cluster's row and a hashed one."""
        hashed = bucket(ids, salt(self.kind, 0, self.seed), self.rows)
        return interleaved(self.cluster_rows(ids), hashed)


def sorted_arrays(ids: ArrayLike, values: ArrayLike, name: str) -> dict[str, NDArray[Any]]:
    """Puts distinct ids in ascending order, their uint32 values with them.

    Raises:
        ConfigError: for lengths that differ, ids that repeat, no id at all, or values that are no
            integers in [0, 2^32).
    """
    keys, others = np.asarray(ids, np.int64), np.asarray(values)
    if keys.ndim != 1 or keys.shape != others.shape:
        raise ConfigError(f"expected as many {name} as ids, got {others.shape} and {keys.shape}")
    if not len(keys):
        raise ConfigError(f"{name} need at least one id, got none")
    if others.dtype.kind not in "iu" or others.min() < 0 or others.max() >= MAX_ROWS:
        raise ConfigError(
            f"{name} must be integers in [0, 2^32), got {others.min()} to {others.max()} of"
            f" {others.dtype}"
        )
    order = np.argsort(keys, kind="stable")
    if len(np.unique(keys)) != len(keys):
        raise ConfigError(f"ids must be distinct, got {len(keys) - len(np.unique(keys))} repeated")
    return {"ids": keys[order], name: others[order].astype(np.uint32)}
