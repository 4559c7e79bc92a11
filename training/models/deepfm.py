"""DeepFM: a factorization machine and a perceptron on the same vectors (arXiv 1703.04247)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from training.models.layers import Inputs, Shape, factorization, mlp


@dataclass(frozen=True)
class DeepFM:
    """Configures a DeepFM; features need one dimension, and each id has a first-order weight.

    Args:
        hidden: widths of the perceptron's layers.
        dropout: share of each hidden layer dropped in training.
        batch_norm: whether hidden layers are normalized over the batch (arXiv 1502.03167).
    """

    kind: ClassVar[str] = "deepfm"
    is_wide: ClassVar[bool] = True
    adds_vectors: ClassVar[bool] = True
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """Returns the model for inputs of this shape.

        Raises:
            ConfigError: if the features' dimensions differ.
        """
        if len(set(shape.dims)) != 1:
            raise ConfigError(
                f"model deepfm needs features of one dimension, got {sorted(set(shape.dims))}"
            )
        return _DeepFM(self, shape)


class _DeepFM(nn.Module):
    def __init__(self, config: DeepFM, shape: Shape) -> None:
        super().__init__()
        self.deep = mlp(shape.width, config.hidden, config.dropout, config.batch_norm)
        self.out = nn.Linear((shape.width, *config.hidden)[-1] + shape.num_dense, 1)

    def forward(self, inputs: Inputs) -> Tensor:  # -> (B,)
        deep = self.out(torch.cat([self.deep(inputs.flat), inputs.dense], dim=1)).squeeze(1)
        return inputs.firsts.sum(1) + factorization(torch.stack(list(inputs.vectors), dim=1)) + deep
