"""DLRM: dense columns become one more vector; all pairs are compared (arXiv 1906.00091)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from training.models.layers import Inputs, PairwiseDots, Shape, mlp


@dataclass(frozen=True)
class DLRM:
    """Configures a DLRM; all features need the same dimension.

    Args:
        bottom: widths of the perceptron on the dense columns; the dimension of the features is
            added at its end. Unused without dense columns.
        top: widths of the perceptron on the dot products and the dense vector.
        dropout: share of each hidden layer dropped in training.
        batch_norm: whether hidden layers are normalized over the batch (arXiv 1502.03167).
    """

    kind: ClassVar[str] = "dlrm"
    is_wide: ClassVar[bool] = False
    adds_vectors: ClassVar[bool] = False
    bottom: tuple[int, ...] = (64,)
    top: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """Returns the model for inputs of this shape.

        Raises:
            ConfigError: if the features' dimensions differ.
        """
        if len(set(shape.dims)) != 1:
            raise ConfigError(
                f"model dlrm needs features of one dimension, got {sorted(set(shape.dims))}"
            )
        return _DLRM(self, shape)


class _DLRM(nn.Module):
    def __init__(self, config: DLRM, shape: Shape) -> None:
        super().__init__()
        dim, has_dense = shape.dims[0], shape.num_dense > 0
        num_vectors = len(shape.dims) + has_dense
        self.bottom = (
            mlp(shape.num_dense, (*config.bottom, dim), config.dropout, config.batch_norm)
            if has_dense
            else None
        )
        self.dots = PairwiseDots(num_vectors)
        width = num_vectors * (num_vectors - 1) // 2 + dim * has_dense
        self.top = mlp(width, config.top, config.dropout, config.batch_norm)
        self.out = nn.Linear((width, *config.top)[-1], 1)

    def forward(self, inputs: Inputs) -> Tensor:  # -> (B,)
        first = [] if self.bottom is None else [self.bottom(inputs.dense)]
        dots = self.dots(torch.stack([*first, *inputs.vectors], dim=1))
        return self.out(self.top(torch.cat([*first, dots], dim=1))).squeeze(1)
