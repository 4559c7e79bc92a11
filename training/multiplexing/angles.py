"""Angles between the blocks of the first layer that read the features' vectors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from recsys_embed.errors import InputError
from training.recommender import Recommender


class Block(NamedTuple):
    """The weights with which the first layer reads one chunk of a feature, (H, D)."""

    feature: str
    weights: NDArray[np.float32]


def blocks_of(model: Recommender) -> list[Block]:
    """Cuts the first linear layer that reads all vectors into a block for each (feature, chunk).

    Raises:
        InputError: if the model has no such layer, as a DLRM.
    """
    columns = [(f, c) for f, c in zip(model.features, model.columns, strict=True) if c.dim]
    width = sum(c.dim * c.chunks for _, c in columns)
    reader = _reader(model.net, model.num_dense + width)
    begin, blocks = model.num_dense, []
    for feature, c in columns:
        for _ in range(c.chunks):
            blocks.append(Block(feature, reader[:, begin : begin + c.dim]))
            begin += c.dim
    return blocks


def angles(blocks: Sequence[Block]) -> NDArray[np.float64]:
    """Gives the angles between blocks of one shape, degrees (K, K): arccos of |<A, B>| / |A| |B|.

    90 degrees: an inter-feature collision disturbs nothing. NaN between blocks of other shapes.
    Unified Embedding (arXiv 2305.12102) §4.
    """
    degrees = np.full((len(blocks), len(blocks)), np.nan)
    for i, a in enumerate(blocks):
        for j, b in enumerate(blocks):
            if a.weights.shape == b.weights.shape:
                degrees[i, j] = _angle(a.weights.ravel(), b.weights.ravel())
    return degrees


def _angle(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    cosine = abs(float(a @ b)) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30)
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def _reader(net: nn.Module, width: int) -> NDArray[np.float32]:
    for layer in net.modules():
        if isinstance(layer, nn.Linear) and layer.in_features == width:
            return np.asarray(layer.weight.detach().numpy())
    raise InputError(
        "expected a model whose first layer reads all vectors side by side (dnn, dcn, wide_deep,"
        " deepfm); this one has none"
    )
