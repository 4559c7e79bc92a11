"""How well a bridge does, measured on queries that it was not fitted to."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.retrieval.bridging import Bridging, Floats, Kind, check_pairs, fit_bridge
from recsys_embed.retrieval.description import Bridge

Metric = Literal["inner_product", "cosine"]
BLOCK = 256  # queries that are compared with all items at once


def validated_bridge(
    to: str,
    old: Floats,
    new: Floats,
    items: Floats,
    kind: Kind,
    metric: Metric,
    k: int = 100,
    held_out: float = 0.25,
    seed: int = 0,
) -> tuple[Bridge, Bridging]:
    """Learns a bridge on some queries and measures it on the others: the only way to a `Bridge`.

    Args:
        to: the older tower version.
        old, new: as in `fit_bridge`.
        items: float32 (N, D old), items as the older item tower embeds them.
        kind: as in `fit_bridge`.
        metric: by which the older index compares.
        k: neighbours to measure with; all items if there are fewer.
        held_out: share of queries to measure with.
        seed: of the choice of these.

    Returns:
        What a snapshot says of the bridge, and the bridge.

    Raises:
        InputError: for what `fit_bridge` refuses, no items, or no query left to measure with.
    """
    check_pairs(old, new, kind)
    order = np.random.default_rng(seed).permutation(len(old))
    measured, fitted = np.split(order, [round(len(old) * held_out)])
    if not len(measured) or not len(fitted):
        raise InputError(
            f"a bridge is measured on queries it was not fitted to: {len(old)} queries and a share"
            f" of {held_out} leave {len(fitted)} to fit and {len(measured)} to measure"
        )
    bridging = fit_bridge(old[fitted], new[fitted], kind)
    recall = recall_between(old[measured], bridging.apply(new[measured]), items, k, metric)
    return Bridge(to, kind, recall, min(k, len(items)), len(measured)), bridging


def recall_between(old: Floats, bridged: Floats, items: Floats, k: int, metric: Metric) -> float:
    """Gives the share of the old queries' k nearest items that the bridged ones find in their k.

    Args:
        old: float32 (Q, D), at least one.
        bridged: float32 (Q, D), the same queries over the bridge.
        items: float32 (N, D), at least one.
        k: neighbours, at least 1; all items if there are fewer.
        metric: of the items' index.

    Raises:
        InputError: for shapes that do not fit.
    """
    if not len(old) or not len(items) or k < 1 or old.shape[1:] != items.shape[1:]:
        raise InputError(
            f"recall needs queries (Q, D), items (N, D) and k >= 1; got {old.shape}, {items.shape}"
            f" and {k}"
        )
    most = min(k, len(items))
    known = items / np.maximum(_lengths(items), 1e-30) if metric == "cosine" else items
    shared = 0
    for start in range(0, len(old), BLOCK):
        pairs = zip(
            _nearest(old[start : start + BLOCK], known, most),
            _nearest(bridged[start : start + BLOCK], known, most),
            strict=True,
        )
        shared += sum(len(np.intersect1d(own, found)) for own, found in pairs)
    return shared / (len(old) * most)


def _lengths(vectors: Floats) -> NDArray[Any]:
    lengths: NDArray[Any] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return lengths


def _nearest(queries: Floats, items: Floats, k: int) -> NDArray[np.int64]:
    return np.argpartition(-(queries @ items.T), k - 1, axis=1)[:, :k]
