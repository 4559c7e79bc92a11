"""The optimizer inside backward: autograd sees one function a step, and no table as parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from recsys_embed.errors import InputError
from recsys_embed.mapped_table import MappedTable
from recsys_embed.nn.bags import Bags
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_group import Rate, TableGroup
from recsys_embed.tables_in_turn import TablesInTurn


class Trainer(Protocol):
    """What a step asks its module for."""

    @property
    def time_s(self) -> int | None: ...
    def missing_in_training(self) -> Any: ...
    def missing_in_evaluation(self) -> Any: ...
    def rate_of(self, table: str) -> Rate: ...


class Step(Protocol):
    """One forward with the backward that belongs to it."""

    def read(self) -> torch.Tensor: ...
    def learn(self, grad: torch.Tensor) -> None: ...


class Fused(torch.autograd.Function):
    """Reads in forward, applies the optimizer in backward; `anchor` only asks for a backward."""

    @staticmethod
    def forward(ctx: Any, anchor: torch.Tensor, step: Step) -> torch.Tensor:
        ctx.step = step
        return step.read()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, None]:
        ctx.step.learn(grad)
        return None, None


class PooledStep:
    """Pools the bags of a group of tables into one (B, D) tensor."""

    def __init__(
        self,
        trainer: Trainer,
        group: TableGroup | TablesInTurn,
        bags: Bags,
        starts: NDArray[np.int64],
        num_bags: int,
    ) -> None:
        self._trainer, self._group, self._num_bags = trainer, group, num_bags
        self._arrays, self._weights = (bags.ids, bags.offsets, starts), bags.weights
        self._rows: Any = None

    def read(self) -> torch.Tensor:
        """Counts, admits and reads; keeps the rows for `learn`."""
        found = self._group.train_lookup_pooled(
            *self._arrays,
            num_bags=self._num_bags,
            weights=self._weights,
            time=self._trainer.time_s,
            missing=self._trainer.missing_in_training(),
        )
        self._rows = found.rows
        return torch.from_numpy(found.values)

    def peek(self) -> torch.Tensor:
        """Reads and changes nothing."""
        missing = self._trainer.missing_in_evaluation()
        return torch.from_numpy(
            self._group.lookup_pooled(
                *self._arrays, num_bags=self._num_bags, weights=self._weights, missing=missing
            )
        )

    def learn(self, grad: torch.Tensor) -> None:
        """Steps every table once, or none if the gradient of any is not finite."""
        assert self._rows is not None, "autograd runs backward after forward"
        rates = tuple(self._trainer.rate_of(m.table.config.name) for m in self._group.members)
        self._group.apply_pooled_gradients(self._rows, gradient_array(grad), lr=rates)


@dataclass
class SequenceCall:
    """One table's part in a step without pooling; `span` is its share of the output rows."""

    table: CollisionlessTable
    ids: NDArray[Any]
    features: Sequence[int]
    feature_offsets: NDArray[Any]
    span: slice
    rows: Any = None

    @property
    def width(self) -> int:
        """Columns of a vector; of all features, as a collection sees to."""
        config = self.table.config
        return config.vector_dim(config.features[self.features[0]].name)

    def peek(self, missing: Any, out: NDArray[np.float32]) -> None:
        """Reads without a change, into `out`."""
        if not isinstance(self.table, MappedTable):
            self.table.lookup(self.ids, missing=missing, out=out)
            return
        spans = pairwise(self.feature_offsets.tolist())
        for feature, (a, b) in zip(self.features, spans, strict=True):
            self.table.lookup(self.ids[a:b], missing=missing, out=out[a:b], feature=feature)


class SequenceStep:
    """Reads one vector for each id into one (N, D) tensor, each table into its own rows."""

    def __init__(self, trainer: Trainer, calls: Sequence[SequenceCall]) -> None:
        self._trainer, self._calls = trainer, calls
        self._shape = (calls[-1].span.stop, calls[-1].width)

    def read(self) -> torch.Tensor:
        """Counts, admits and reads; keeps the rows for `learn`."""
        vectors = torch.empty(self._shape)
        values = vectors.numpy()
        for call in self._calls:
            call.rows = call.table.train_lookup(
                call.ids,
                feature=call.features,
                feature_offsets=call.feature_offsets,
                time=self._trainer.time_s,
                missing=self._trainer.missing_in_training(),
                out=values[call.span],
            ).rows
        return vectors

    def peek(self) -> torch.Tensor:
        """Reads and changes nothing."""
        vectors = torch.empty(self._shape)
        values = vectors.numpy()
        for call in self._calls:
            call.peek(self._trainer.missing_in_evaluation(), values[call.span])
        return vectors

    def learn(self, grad: torch.Tensor) -> None:
        """Steps every table once, or none if the gradient of any is not finite."""
        # A finite sum shows in one pass that every term is; it may also overflow, so look again.
        if not torch.isfinite(grad.sum()) and not torch.isfinite(grad).all():
            raise InputError("gradients must be finite, got NaN or infinity; no table took a step")
        grads = gradient_array(grad)
        for call in self._calls:
            rate = self._trainer.rate_of(call.table.config.name)
            call.table.apply_gradients(call.rows, grads[call.span], lr=rate)


def gradient_array(grad: torch.Tensor) -> NDArray[np.float32]:
    """Views a gradient as a float32 array on the CPU with adjacent columns."""
    grad = grad.detach().to("cpu", torch.float32)
    array: NDArray[np.float32] = (grad if grad.stride(-1) == 1 else grad.contiguous()).numpy()
    return array
