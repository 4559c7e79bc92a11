"""How often ids meet in a row: ids of one feature for good, ids of two features harmlessly."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from recsys_embed.row_maps.protocol import RowMap


@dataclass(frozen=True)
class FeatureCollisions:
    """Pairs of a feature's own ids that share rows: intra-feature collisions.

    Args:
        ids: distinct ids, n.
        lookups: chunks of an id.
        pairs: pairs of ids that share a row, summed over the chunks.
        merged: ids that share all their rows with another: to the model they are one.
    """

    ids: int
    lookups: int
    pairs: int
    merged: int


@dataclass(frozen=True)
class Collisions:
    """Who meets whom in the rows of a table.

    Args:
        of_feature: intra-feature collisions by feature.
        between: inter-feature collisions: (id, chunk) of one feature in the row of another's.
    """

    of_feature: Mapping[str, FeatureCollisions]
    between: Mapping[tuple[str, str], int]


def collisions(row_map: RowMap, ids: Mapping[str, NDArray[np.int64]]) -> Collisions:
    """Counts the pairs of distinct ids that share rows, within each feature and between two.

    Unified Embedding (arXiv 2305.12102) §4: gradients of intra-feature collisions have one
    direction, which training cannot undo; those of inter-feature collisions it turns apart.

    Args:
        row_map: of the table.
        ids: of each feature, int64 (n,), repeats allowed.

    Example:
        >>> from recsys_embed.row_maps import Hashed
        >>> found = collisions(Hashed(rows=1), {"user": np.array([1, 2, 3]), "item": np.array([7])})
        >>> found.of_feature["user"].pairs, found.between["user", "item"]
        (3, 3)
    """
    distinct = {feature: np.unique(own) for feature, own in ids.items()}
    rows = {feature: _rows(row_map, own, feature) for feature, own in distinct.items()}
    of_feature = {f: _within(own, len(distinct[f])) for f, own in rows.items()}
    counted = {f: np.unique(own, return_counts=True) for f, own in rows.items()}
    between = {(a, b): _between(counted[a], counted[b]) for a, b in combinations(counted, 2)}
    return Collisions(of_feature, between)


def _rows(row_map: RowMap, ids: NDArray[np.int64], feature: str) -> NDArray[np.int64]:
    """Gives the rows of each id, (C * k, n); its last repeats where an id has fewer than k."""
    found = row_map.map(ids, feature)
    per_id = np.broadcast_to(found.per_id, len(ids)).astype(np.int64)
    begins = np.cumsum(per_id) - per_id
    places = np.minimum(np.arange(per_id.max(initial=1))[:, None], per_id - 1)
    return np.concatenate([np.asarray(chunk[begins + places]) for chunk in found.rows])


def _within(rows: NDArray[np.int64], n: int) -> FeatureCollisions:
    pairs = 0
    for chunk in rows:
        counts = np.unique(chunk, return_counts=True)[1].astype(np.int64)
        pairs += int((counts * (counts - 1) // 2).sum())
    codes = np.unique(rows, axis=1, return_counts=True)[1] if n else np.zeros(0, np.int64)
    return FeatureCollisions(n, len(rows), pairs, int(codes[codes > 1].sum()))


def _between(
    one: tuple[NDArray[np.int64], NDArray[np.int64]],
    other: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> int:
    _, at, there = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    return int((one[1][at] * other[1][there]).sum())
