"""A bridge from new towers to an index of older ones, learned and measured on real queries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.retrieval.bridge_validation import validated_bridge
from recsys_embed.retrieval.description import Bridge, Retrieval, read, tower_array
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import encode
from recsys_embed.snapshot import Snapshot, open_snapshot
from training.retrieval.export.parity import run_onnx
from training.retrieval.towers.baskets import features_of
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.inputs import column_of
from training.retrieval.towers.model import Towers
from training.retrieval.towers.shop import Shop

KINDS = ("mean", "procrustes", "linear")


class Bridged(NamedTuple):
    """A bridge: what the snapshot says of it, and its arrays."""

    told: Bridge
    arrays: Mapping[str, NDArray[Any]]


def bridge_from(
    path: Path, index: str, config: RetrievalConfig, shop: Shop, towers: Towers
) -> Bridged:
    """Learns how queries of these towers ask the index of an earlier snapshot.

    The baskets of the validation part ask by both user towers. Of the kinds of bridges the one is
    taken that finds most of the older tower's own neighbours, on queries it was not fitted to.

    Args:
        path: an earlier snapshot, or a folder of them.
        index: of that snapshot.
        config: of this run.
        shop: its data.
        towers: as trained.

    Raises:
        InputError: for a snapshot without such an index and user tower, or one whose features the
            log of this run does not have.
    """
    snapshot = open_snapshot(path)
    told = read(snapshot.extra)
    if told is None or index not in told.indexes or told.indexes[index].user_tower is None:
        raise InputError(
            f"{snapshot.path} has no index {index!r} with a user tower to build a bridge to; name a"
            " snapshot that recsys-train retrieval wrote"
        )
    old = _old_queries(snapshot, told, index, config, shop)
    new = towers.user.vectors(shop.users.take(shop.parts.validation)).numpy()
    if old.ndim != 2 or new.ndim != 2:
        raise InputError("a bridge leads from one vector of a user to one, not between interests")
    items = _old_items(snapshot, told, index)
    metric = told.indexes[index].metric
    kinds = [k for k in KINDS if k == "linear" or old.shape == new.shape]
    tried = [
        validated_bridge(told.tower_version, old, new, items, kind, metric)  # type: ignore[arg-type]  # one of its kinds
        for kind in kinds
    ]
    best, bridging = max(tried, key=lambda one: one[0].recall)
    return Bridged(best, bridging.arrays())


def _old_queries(
    snapshot: Snapshot, told: Retrieval, index: str, config: RetrievalConfig, shop: Shop
) -> NDArray[np.float32]:
    name = str(told.indexes[index].user_tower)
    tower = told.towers[name]
    ours = {feature: column_of(feature, one) for feature, one in config.user.inputs.items()}
    if unknown := [feature for feature in tower.features if feature not in ours]:
        raise InputError(
            f"the user tower of {snapshot.path} is given {', '.join(unknown)}, which this run's is"
            " not; a bridge needs both towers to see the same customers"
        )
    columns = {feature: ours[feature] for feature in tower.features}
    examples = features_of(shop.baskets.lines[shop.parts.validation], columns)
    fed = feed(tower, encode(tower, examples), snapshot.tables)
    return run_onnx(snapshot.dense[tower_array(name)].tobytes(), fed)


def _old_items(snapshot: Snapshot, told: Retrieval, index: str) -> NDArray[np.float32]:
    rows = snapshot.tables[told.indexes[index].vectors].rows()
    return np.concatenate([block.weights for block in rows])
