"""A perceptron as plain arrays, so that an encoder trained with torch runs with numpy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Perceptron:
    """Linear layers with ReLU between them: y = W_n relu(... relu(W_1 x + b_1) ...) + b_n.

    Layers are computed in float64 and the outputs rounded once to float32, so that batch size,
    threads and BLAS leave no trace but in the last bit of the rare value between two float32.

    Args:
        widths: int64 (layers + 1,), of the inputs and of each layer's outputs.
        weights: float32, of each layer in turn its matrix (outputs, inputs) by rows, its biases.

    Raises:
        InputError: if there is no layer, or the number of weights is not what the widths need.

    Example:
        >>> relu = Perceptron(np.array([1, 1, 1]), np.array([1, 0, 2, 1], np.float32))
        >>> relu(np.array([[3], [-3]], np.float32))
        array([[7.],
               [1.]], dtype=float32)
    """

    widths: NDArray[np.int64]
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or self.widths.min() < 1:
            raise InputError(f"a perceptron needs two widths or more, got {self.widths.tolist()}")
        needed = int(((self.widths[:-1] + 1) * self.widths[1:]).sum())
        if self.weights.shape != (needed,):
            raise InputError(
                f"a perceptron of widths {self.widths.tolist()} has {needed:,} weights,"
                f" got an array of shape {self.weights.shape}"
            )

    def __call__(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives the outputs, float32 (N, last width), for inputs (N, first width)."""
        outputs = np.empty((len(inputs), self.widths[-1]), np.float32)
        layers = self._layers()
        for start in range(0, len(inputs), BLOCK):
            values = inputs[start : start + BLOCK].astype(np.float64)
            for number, (matrix, biases) in enumerate(layers):
                values = (np.maximum(values, 0) if number else values) @ matrix.T + biases
            outputs[start : start + BLOCK] = values
        return outputs

    def _layers(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        layers, at = [], 0
        flat = self.weights.astype(np.float64)
        for inputs, outputs in zip(self.widths[:-1], self.widths[1:], strict=True):
            end = at + inputs * outputs
            matrix = flat[at:end].reshape(outputs, inputs)
            layers.append((matrix, flat[end : end + outputs]))
            at = end + outputs
        return layers
