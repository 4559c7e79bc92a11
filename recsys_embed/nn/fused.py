"""The optimizer inside backward: autograd sees one function a step, and no table as parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from recsys_embed.errors import InputError
from recsys_embed.nn.bags import Bags
from recsys_embed.table import CollisionlessTable, Mode

Rate = float | Sequence[float]


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


@dataclass
class PooledCall:
    """One table's part in a pooled step; `columns` is its share of the output."""

    table: CollisionlessTable
    bags: Bags
    mode: Mode
    features: Sequence[int]
    columns: slice
    rows: Any = None


class PooledStep:
    """Pools bags of several tables into one (B, D) tensor, each table into its own columns."""

    def __init__(self, trainer: Trainer, calls: Sequence[PooledCall], num_bags: int) -> None:
        self._trainer, self._calls = trainer, calls
        self._shape = (num_bags, calls[-1].columns.stop)

    def read(self) -> torch.Tensor:
        """Counts, admits and reads; keeps the rows for `learn`."""
        pooled = torch.empty(self._shape)
        values = pooled.numpy()
        for call in self._calls:
            call.rows = call.table.train_lookup_pooled(
                call.bags.ids,
                call.bags.offsets,
                mode=call.mode,
                weights=call.bags.weights,
                features=call.features,
                time=self._trainer.time_s,
                missing=self._trainer.missing_in_training(),
                out=values[:, call.columns],
            ).rows
        return pooled

    def peek(self) -> torch.Tensor:
        """Reads and changes nothing."""
        pooled = torch.empty(self._shape)
        values = pooled.numpy()
        for call in self._calls:
            call.table.lookup_pooled(
                call.bags.ids,
                call.bags.offsets,
                mode=call.mode,
                weights=call.bags.weights,
                num_features=len(call.features),
                missing=self._trainer.missing_in_evaluation(),
                out=values[:, call.columns],
            )
        return pooled

    def learn(self, grad: torch.Tensor) -> None:
        """Steps every table once, or none if the gradient of any is not finite."""
        grads = gradient_array(grad)
        for call in self._calls:
            call.table.apply_pooled_gradients(
                call.rows,
                call.bags.offsets,
                grads[:, call.columns],
                lr=self._trainer.rate_of(call.table.config.name),
                mode=call.mode,
                weights=call.bags.weights,
                num_features=len(call.features),
            )


@dataclass
class SequenceCall:
    """One table's part in a step without pooling; `span` is its share of the output rows."""

    table: CollisionlessTable
    ids: NDArray[Any]
    features: Sequence[int]
    feature_offsets: NDArray[Any]
    span: slice
    rows: Any = None


class SequenceStep:
    """Reads one vector for each id into one (N, D) tensor, each table into its own rows."""

    def __init__(self, trainer: Trainer, calls: Sequence[SequenceCall]) -> None:
        self._trainer, self._calls = trainer, calls
        self._shape = (calls[-1].span.stop, calls[-1].table.config.dim)

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
            missing = self._trainer.missing_in_evaluation()
            call.table.lookup(call.ids, missing=missing, out=values[call.span])
        return vectors

    def learn(self, grad: torch.Tensor) -> None:
        """Steps every table once, or none if the gradient of any is not finite."""
        grads = gradient_array(grad)
        for call in self._calls:
            rate = self._trainer.rate_of(call.table.config.name)
            call.table.apply_gradients(call.rows, grads[call.span], lr=rate)


def gradient_array(grad: torch.Tensor) -> NDArray[Any]:
    """Views a gradient as a float32 array on the CPU with adjacent columns.

    Raises:
        InputError: for a gradient that is not finite, before any table has taken a step.
    """
    # A finite sum shows in one pass that every term is; a sum may also overflow, so look again.
    if not torch.isfinite(grad.sum()) and not torch.isfinite(grad).all():
        raise InputError("gradients must be finite, got NaN or infinity; no table has taken a step")
    grad = grad.detach().to("cpu", torch.float32)
    return (grad if grad.stride(-1) == 1 else grad.contiguous()).numpy()
