"""DNN: a perceptron on everything side by side."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from training.models.layers import Inputs, Shape, mlp


@dataclass(frozen=True)
class DNN:
    """Configures a multi-layer perceptron on dense columns and vectors.

    Args:
        hidden: widths of the hidden layers.
        dropout: share of each hidden layer dropped in training.
        batch_norm: whether hidden layers are normalized over the batch (arXiv 1502.03167).
    """

    kind: ClassVar[str] = "dnn"
    is_wide: ClassVar[bool] = False
    adds_vectors: ClassVar[bool] = False
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self, shape: Shape) -> nn.Module:
        """Returns the model for inputs of this shape."""
        return _DNN(self, shape)


class _DNN(nn.Module):
    def __init__(self, config: DNN, shape: Shape) -> None:
        super().__init__()
        self.hidden = mlp(shape.width, config.hidden, config.dropout, config.batch_norm)
        self.out = nn.Linear((shape.width, *config.hidden)[-1], 1)

    def forward(self, inputs: Inputs) -> Tensor:  # -> (B,)
        return self.out(self.hidden(inputs.flat)).squeeze(1)
