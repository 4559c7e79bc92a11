"""Parts that several models share: inputs, multi-layer perceptron, cross network, interactions."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Shape(NamedTuple):
    """What a model will be given: dense columns, each feature's dimension, first-order weights."""

    num_dense: int
    dims: tuple[int, ...]
    num_firsts: int = 0

    @property
    def width(self) -> int:
        """Columns of `Inputs.flat`."""
        return self.num_dense + sum(self.dims)


class Inputs(NamedTuple):
    """A batch after the tables.

    Args:
        dense: (B, num_dense).
        vectors: one pooled vector (B, D) a feature.
        firsts: the first-order weight of each wide feature, summed over its bag, (B, num_firsts).
    """

    dense: Tensor
    vectors: Sequence[Tensor]
    firsts: Tensor

    @property
    def flat(self) -> Tensor:
        """Everything but the first-order weights side by side, (B, width)."""
        return torch.cat([self.dense, *self.vectors], dim=1)


def mlp(
    width: int, hidden: Sequence[int], dropout: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """Builds Linear, batch norm, ReLU and dropout for each width; of none, the identity."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers.append(nn.Linear(width, size))
        layers += [nn.BatchNorm1d(size)] if batch_norm else []
        layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout)] if dropout else []
        width = size
    return nn.Sequential(*layers)


class CrossNet(nn.Module):
    """Multiplies the input into itself once a layer: x_{l+1} = x_0 * (W_l x_l + b_l) + x_l.

    With a `rank`, W_l = U_l V_l of that rank. DCN-v2 (arXiv 2008.13535), equations 1 and 2.
    """

    def __init__(self, width: int, layers: int, rank: int | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(self._map(width, rank) for _ in range(layers))

    def forward(self, x0: Tensor) -> Tensor:  # (B, width) -> (B, width)
        """Returns x after the last layer."""
        x = x0
        for layer in self.layers:
            x = x0 * layer(x) + x
        return x

    @staticmethod
    def _map(width: int, rank: int | None) -> nn.Module:
        if rank is None:
            return nn.Linear(width, width)
        return nn.Sequential(nn.Linear(width, rank, bias=False), nn.Linear(rank, width))


class PairwiseDots(nn.Module):
    """Gives the dot products of all F * (F - 1) / 2 pairs of F vectors of one dimension."""

    pairs: Tensor

    def __init__(self, num_vectors: int) -> None:
        super().__init__()
        self.register_buffer(
            "pairs", torch.tril_indices(num_vectors, num_vectors, -1), persistent=False
        )

    def forward(self, vectors: Tensor) -> Tensor:  # (B, F, D) -> (B, F * (F - 1) / 2)
        """Returns the pairs (1, 0), (2, 0), (2, 1), …"""
        products = vectors @ vectors.transpose(1, 2)
        return products[:, self.pairs[0], self.pairs[1]]


def factorization(vectors: Tensor) -> Tensor:  # (B, F, D) -> (B,)
    """Sums all pairs' dot products: ((sum v)^2 - sum v^2) / 2. Rendle (ICDM 2010), lemma 3.1."""
    return 0.5 * (vectors.sum(1).square() - vectors.square().sum(1)).sum(1)
