"""What comes after a tower's inputs: layers, and vectors of length 1."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

LEAST_SQUARE = 1e-12


class TowerNetwork(nn.Module):
    """Gives vectors of length 1: inputs side by side, layers with ReLU, a linear layer, x / |x|.

    Args:
        widths: columns of each input, in their order.
        hidden: widths of the layers before the last.
        dim: of a vector.
        interests: vectors an example.

    Example:
        >>> tower = TowerNetwork([4, 1], hidden=[8], dim=2)
        >>> tower(torch.ones(3, 4), torch.ones(3, 1)).norm(dim=1).round(decimals=4).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(
        self, widths: Sequence[int], hidden: Sequence[int], dim: int, interests: int = 1
    ) -> None:
        super().__init__()
        self.dim, self.interests = dim, interests
        sizes = [sum(widths), *hidden, dim * interests]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.ReLU()] * bool(layers) + [nn.Linear(inputs, outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Gives (B, dim) for inputs (B, width) each; (B, interests, dim) with several interests."""
        vectors = self.layers(torch.cat(inputs, dim=1))
        if self.interests > 1:
            vectors = vectors.view(-1, self.interests, self.dim)
        squares = (vectors * vectors).sum(dim=-1, keepdim=True)
        unit: Tensor = vectors * torch.rsqrt(squares + LEAST_SQUARE)
        return unit
