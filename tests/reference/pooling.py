"""Bags of occurrences to one vector each and back, bag after bag."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pooled(
    values: NDArray[np.float32], offsets: Any, mode: str, weights: Any, num_features: int
) -> NDArray[np.float32]:
    """Gives (B, F*D): the sum or mean of each bag, features side by side; empty bags are zeros."""
    dim = values.shape[1]
    num_bags = (len(offsets) - 1) // num_features
    result = np.zeros((num_bags, num_features * dim), np.float32)
    for bag, (f, b) in _places(num_features, num_bags):
        for k in range(int(offsets[bag]), int(offsets[bag + 1])):
            at = slice(f * dim, (f + 1) * dim)
            result[b, at] += values[k] * _share(k, bag, offsets, mode, weights)
    return result


def spread(
    grads: NDArray[np.float32], offsets: Any, mode: str, weights: Any, num_features: int
) -> NDArray[np.float32]:
    """Gives each occurrence its part (N, D) of the gradients (B, F*D) of the bags."""
    dim = grads.shape[1] // num_features
    num_bags = (len(offsets) - 1) // num_features
    result = np.zeros((int(offsets[-1]), dim), np.float32)
    for bag, (f, b) in _places(num_features, num_bags):
        for k in range(int(offsets[bag]), int(offsets[bag + 1])):
            at = slice(f * dim, (f + 1) * dim)
            result[k] = grads[b, at] * _share(k, bag, offsets, mode, weights)
    return result


def _places(num_features: int, num_bags: int) -> enumerate[tuple[int, int]]:
    return enumerate((f, b) for f in range(num_features) for b in range(num_bags))


def _share(k: int, bag: int, offsets: Any, mode: str, weights: Any) -> np.float32:
    """How much occurrence k counts in its bag."""
    weight = np.float32(1 if weights is None else weights[k])
    length = np.float32(offsets[bag + 1] - offsets[bag])
    return weight / length if mode == "mean" else weight
