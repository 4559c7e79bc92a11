"""Wide & Deep: a linear model on ids and crosses beside a perceptron (arXiv 1606.07792)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from training.models.layers import Inputs, Shape, mlp


@dataclass(frozen=True)
class WideDeep:
    """Configures a wide part of first-order weights and a deep part; dim 0 means wide alone.

    Args:
        hidden: widths of the perceptron's layers.
        dropout: share of each hidden layer dropped in training.
        batch_norm: whether hidden layers are normalized over the batch (arXiv 1502.03167).
    """

    kind: ClassVar[str] = "wide_deep"
    is_wide: ClassVar[bool] = True
    adds_vectors: ClassVar[bool] = False
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """Returns the model for inputs of this shape."""
        return _WideDeep(self, shape)


class _WideDeep(nn.Module):
    def __init__(self, config: WideDeep, shape: Shape) -> None:
        super().__init__()
        self.deep = mlp(shape.width, config.hidden, config.dropout, config.batch_norm)
        self.out = nn.Linear((shape.width, *config.hidden)[-1] + shape.num_dense, 1)

    def forward(self, inputs: Inputs) -> Tensor:  # -> (B,)
        deep = self.out(torch.cat([self.deep(inputs.flat), inputs.dense], dim=1)).squeeze(1)
        return inputs.firsts.sum(1) + deep
