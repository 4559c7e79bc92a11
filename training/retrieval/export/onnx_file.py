"""A tower's network as an ONNX file, which a server runs without torch."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from recsys_embed.retrieval.description import Tower

OPSET = 20
OUTPUT = "vectors"


def to_onnx(network: nn.Module, tower: Tower, widths: Sequence[int]) -> bytes:
    """Gives a network as an ONNX file whose inputs are named by the tower's features.

    Inputs are float32 (B, width), the output is float32 (B, ...), for any B, 0 as well.

    Args:
        network: takes one tensor an input, in the tower's order; its weights are copied.
        tower: names the inputs.
        widths: columns of each.

    Example:
        >>> from recsys_embed.retrieval.description import Number
        >>> tower = Tower((Number("price"), Number("age")), dim=2)
        >>> class Beside(nn.Module):
        ...     def forward(self, price, age):
        ...         return torch.cat([price, age], 1)
        >>> len(to_onnx(Beside(), tower, [1, 1])) > 100
        True
    """
    names = [one.feature for one in tower.inputs]
    examples = tuple(torch.zeros(2, width) for width in widths)
    any_batch = tuple({0: torch.export.Dim.DYNAMIC} for _ in widths)
    with _quiet():
        program: Any = torch.onnx.export(
            network.eval(),
            examples,
            dynamo=True,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_shapes=_shapes(network, any_batch),
            opset_version=OPSET,
            verbose=False,
        )
    return _bare(program.model_proto)


def _shapes(network: nn.Module, each: tuple[Any, ...]) -> Any:
    """Gives the shapes as torch wants them: those of *inputs are one argument."""
    import inspect

    kinds = [p.kind for p in inspect.signature(network.forward).parameters.values()]
    return (each,) if kinds == [inspect.Parameter.VAR_POSITIONAL] else each


def _bare(model: Any) -> bytes:
    """Leaves out what tells of the machine that wrote it: where in which file a node came from."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
    for name in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del name.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch from speaking of operators of torchvision, and of its own deprecations."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
