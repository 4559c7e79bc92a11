"""Towers of one matrix: an ONNX file, and the same in numpy."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TinyTower:
    """Gives the inputs side by side times a matrix (sum of widths, D), each row of length 1.

    With `interests` > 1 the matrix has that many times D columns, and the output is
    (B, interests, D).
    """

    widths: dict[str, int]
    matrix: Floats
    interests: int = 1

    @classmethod
    def drawn(
        cls, widths: dict[str, int], dim: int, rng: np.random.Generator, interests: int = 1
    ) -> "TinyTower":
        shape = sum(widths.values()), interests * dim
        return cls(widths, rng.standard_normal(shape).astype(np.float32), interests)

    def turned(self, rotation: Floats) -> "TinyTower":
        """Gives the tower whose vectors are these, rotated by (D, D)."""
        heads = [head @ rotation for head in np.split(self.matrix, self.interests, axis=1)]
        return TinyTower(self.widths, np.concatenate(heads, axis=1), self.interests)

    def __call__(self, feed: dict[str, Floats]) -> Floats:
        inputs = np.concatenate([feed[name] for name in self.widths], axis=1)
        dim = self.matrix.shape[1] // self.interests
        vectors = (inputs @ self.matrix).reshape(len(inputs), self.interests, dim)
        lengths = np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-6)
        return (vectors / lengths).squeeze(1) if self.interests == 1 else vectors / lengths

    def onnx(self) -> bytes:
        dim = self.matrix.shape[1] // self.interests
        nodes = [
            helper.make_node("Concat", list(self.widths), ["joined"], axis=1),
            helper.make_node("MatMul", ["joined", "matrix"], ["product"]),
            helper.make_node("Reshape", ["product", "shape"], ["heads"]),
            helper.make_node("ReduceL2", ["heads", "last"], ["norm"], keepdims=1),
            helper.make_node("Max", ["norm", "least"], ["length"]),
            helper.make_node("Div", ["heads", "length"], ["vectors"]),
        ]
        shape = [0, self.interests, dim] if self.interests > 1 else [0, dim]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [_value(name, ["batch", width]) for name, width in self.widths.items()],
            [_value("vectors", ["batch", *shape[1:]])],
            [
                numpy_helper.from_array(self.matrix, "matrix"),
                numpy_helper.from_array(np.array(shape), "shape"),
                numpy_helper.from_array(np.array([-1]), "last"),
                numpy_helper.from_array(np.float32([1e-6]), "least"),
            ],
        )
        opsets = [helper.make_opsetid("", 20)]
        # onnx writes the newest version of its files by itself, which onnxruntime may not know yet
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _value(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
