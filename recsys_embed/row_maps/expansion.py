"""Bags of ids as bags of rows: a chunk of a feature becomes a feature of the table beneath."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.row_maps.combining import Mapped

Weights = NDArray[np.float32] | None


class RowBags(NamedTuple):
    """Bags of rows, feature-major over (feature, chunk), whose pooled vectors lie side by side."""

    offsets: NDArray[np.int64]
    weights: Weights
    mode: Literal["sum", "mean"]
    num_features: int


def lone_bags(parts: Sequence[Mapped]) -> NDArray[np.int64]:
    """Gives the offsets of bags of one id each, for one feature."""
    return np.arange(sum(len(part.ids) for part in parts) + 1)


def row_bags(
    parts: Sequence[Mapped], offsets: NDArray[np.int64], weights: Weights, mode: str
) -> RowBags:
    """Gives the bags of the rows of all features, in the order of `part.flat` of each.

    Args:
        parts: the mapped ids of each feature, whose rows are summed.
        offsets: of the bags of ids, (F * B + 1,).
        weights: of the ids, (N,).
        mode: "sum" or "mean", of the ids of a bag.
    """
    is_even = all(part.is_one_a_chunk for part in parts)
    num_bags = (len(offsets) - 1) // len(parts)
    if mode == "mean" and not is_even:
        # a bag of n ids has more than n rows, and it is by n that a mean divides
        lengths = np.diff(offsets)
        factors = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
        weights, mode = factors if weights is None else weights * factors, "sum"
    own_offsets, own_weights, begin = [np.zeros(1, np.int64)], [], 0
    for f, part in enumerate(parts):
        bags = offsets[f * num_bags : (f + 1) * num_bags + 1]
        per_bag = part.row_offsets(bags - bags[0])
        repeated = None if weights is None else part.repeated(weights[bags[0] : bags[-1]])
        for _ in range(part.chunks):
            own_offsets.append(per_bag[1:] + begin)
            own_weights += [] if repeated is None else [repeated]
            begin += int(per_bag[-1])
    return RowBags(
        np.concatenate(own_offsets),
        np.concatenate(own_weights) if own_weights else None,
        "mean" if mode == "mean" else "sum",
        sum(part.chunks for part in parts),
    )
