"""DCN-v2: a cross network beside a perceptron (arXiv 2008.13535, figure 1b)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from training.models.layers import CrossNet, Inputs, Shape, mlp


@dataclass(frozen=True)
class DCN:
    """Configures a deep and cross network, version 2, in parallel.

    Args:
        cross_layers: 0 or more.
        rank: of each cross layer's matrix; left out: full.
        hidden: widths of the perceptron's layers.
        dropout: share of each hidden layer dropped in training.
        batch_norm: whether hidden layers are normalized over the batch (arXiv 1502.03167).
    """

    kind: ClassVar[str] = "dcn"
    is_wide: ClassVar[bool] = False
    adds_vectors: ClassVar[bool] = False
    cross_layers: int = 2
    rank: int | None = None
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """Returns the model for inputs of this shape."""
        return _DCN(self, shape)


class _DCN(nn.Module):
    def __init__(self, config: DCN, shape: Shape) -> None:
        super().__init__()
        self.cross = CrossNet(shape.width, config.cross_layers, config.rank)
        self.deep = mlp(shape.width, config.hidden, config.dropout, config.batch_norm)
        self.out = nn.Linear(shape.width + (shape.width, *config.hidden)[-1], 1)

    def forward(self, inputs: Inputs) -> Tensor:  # -> (B,)
        flat = inputs.flat
        return self.out(torch.cat([self.cross(flat), self.deep(flat)], dim=1)).squeeze(1)
