"""Weighted pooling by torch's own operations, for weights that want a gradient of their own."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed.nn.bags import Bags


def feature_offsets(bags: Bags, num_features: int) -> NDArray[np.int64]:
    """Gives where the ids of each feature begin, (F + 1,)."""
    num_bags = (len(bags.offsets) - 1) // num_features
    if num_bags == 0:
        return np.zeros(num_features + 1, np.int64)
    return np.ascontiguousarray(bags.offsets[::num_bags])


def each(bags: Bags, num_features: int) -> list[Bags]:
    """Gives the bags of each feature by themselves, without weights."""
    num_bags, parts = (len(bags.offsets) - 1) // num_features, []
    for f in range(num_features):
        at = bags.offsets[f * num_bags : (f + 1) * num_bags + 1]
        parts.append(Bags(bags.ids[at[0] : at[-1]], at - at[0], None))
    return parts


def lone_bags(bags: Bags, num_features: int) -> tuple[Bags, int]:
    """Gives a bag to each id, empty ones behind those of features with fewer, and their number.

    Example:
        >>> two = Bags(np.array([7, 8, 9]), np.array([0, 2, 3]), None)
        >>> lone_bags(two, num_features=2)[0].offsets.tolist()
        [0, 1, 2, 3, 3]
    """
    starts = feature_offsets(bags, num_features)
    longest = int(np.diff(starts).max())
    ends = [np.minimum(a + np.arange(1, longest + 1), b) for a, b in pairwise(starts.tolist())]
    return Bags(bags.ids, np.concatenate([[0], *ends]), None), longest


def weighted_pool(
    vectors: torch.Tensor, weights: torch.Tensor, bags: Bags, mode: str, num_features: int
) -> torch.Tensor:
    """Pools vectors (N, D) times weights (N,) into (B, F * D); "mean" divides by the bag's length.

    Slower than the fused pooling, as every vector exists on its own: it is the weight's gradient.
    """
    lengths = torch.from_numpy(np.diff(bags.offsets)).to(vectors.device)
    num_bags, dim = len(lengths) // num_features, vectors.shape[1]
    bag = torch.repeat_interleave(torch.arange(len(lengths), device=vectors.device), lengths)
    pooled = vectors.new_zeros(len(lengths), dim).index_add(0, bag, vectors * weights[:, None])
    if mode == "mean":
        pooled = pooled / lengths.clamp(min=1)[:, None]
    return (
        pooled.view(num_features, num_bags, dim)
        .transpose(0, 1)
        .reshape(num_bags, num_features * dim)
    )


def joined(
    weights: torch.Tensor, offsets: NDArray[np.int64], positions: Sequence[int]
) -> torch.Tensor:
    """Takes the weights of some features of a batch, `offsets` saying where each feature begins."""
    spans = list(pairwise(offsets.tolist()))
    return torch.cat([weights[spans[p][0] : spans[p][1]] for p in positions])
