"""`torch.nn.EmbeddingBag` and `torch.nn.Embedding` over one collisionless table."""

from typing import Any

import numpy as np
import torch

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.nn.bags import Bags, float32s, int64s
from recsys_embed.nn.fused import PooledStep, SequenceCall, SequenceStep
from recsys_embed.nn.module import TableModule
from recsys_embed.nn.weighted import weighted_pool
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_arguments import Mode
from recsys_embed.table_config import TableConfig
from recsys_embed.table_group import Member, Rate
from recsys_embed.tables_in_turn import make_group

FIRST = np.zeros(1, np.int64)


class SingleTableModule(TableModule):
    """A module over one table that serves one feature."""

    def __init__(self, config: TableConfig, **options: Any) -> None:
        if len(config.features) != 1:
            raise ConfigError(
                f"{type(self).__name__} serves one feature, but table {config.name!r} has"
                f" {[f.name for f in config.features]}; use a collection"
            )
        super().__init__([config], **options)

    @property
    def table(self) -> CollisionlessTable:
        """The table."""
        return next(iter(self._tables.values()))

    def _vectors(self, ids: torch.Tensor) -> torch.Tensor:
        flat = int64s(ids).reshape(-1)
        ends = np.array([0, len(flat)], np.int64)
        call = SequenceCall(self.table, flat, range(1), ends, slice(0, len(flat)))
        return self._run(SequenceStep(self, [call]), ids.device)


class Embedding(SingleTableModule):
    """Gives each id its vector, as `torch.nn.Embedding` does, for any int64 and without a size.

    Args:
        config: the table.
        lr: the learning rate, or one for each segment.
        missing: what an id without a row reads as; see `TableModule`.
        device: where results go; None: where the ids came from.

    Example:
        >>> import torch
        >>> embedding = Embedding(TableConfig.of("items", 4), lr=0.1)
        >>> tuple(embedding(torch.tensor([[7, -1], [7, 2**62]])).shape)
        (2, 2, 4)
    """

    def __init__(
        self,
        config: TableConfig,
        *,
        lr: Rate = 0.01,
        missing: Any = "initial",
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(config, lr=lr, missing=missing, device=device)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Gives (*ids.shape, D)."""
        return self._vectors(ids).view(
            *ids.shape, self.table.config.vector_dim(self.table.config.features[0].name)
        )


class EmbeddingBag(SingleTableModule):
    """Pools bags of ids, as `torch.nn.EmbeddingBag` does, for any int64 and without a size.

    Unlike torch's, mode "mean" takes weights as well (it still divides by the number of ids).

    Args:
        config: the table.
        mode: "sum" or "mean".
        include_last_offset: whether offsets end with the number of ids.
        lr: the learning rate, or one for each segment.
        missing: what an id without a row reads as; see `TableModule`.
        device: where results go; None: where the ids came from.

    Example:
        >>> import torch
        >>> bag = EmbeddingBag(TableConfig.of("items", 4), mode="sum")
        >>> tuple(bag(torch.tensor([7, -1, 7]), torch.tensor([0, 0, 2])).shape)
        (3, 4)
    """

    def __init__(
        self,
        config: TableConfig,
        *,
        mode: Mode = "mean",
        include_last_offset: bool = False,
        lr: Rate = 0.01,
        missing: Any = "initial",
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(config, lr=lr, missing=missing, device=device)
        if mode not in ("sum", "mean"):
            raise ConfigError(f"mode of EmbeddingBag must be 'sum' or 'mean', got {mode!r}")
        self._mode: Mode = mode
        self._include_last_offset = include_last_offset
        self._tables_changed()

    def forward(
        self,
        input: torch.Tensor,
        offsets: torch.Tensor | None = None,
        per_sample_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Gives (B, D) for ids (N,) with offsets (B,), or for ids (B, L) without.

        Args:
            input: ids, 1-D with offsets or 2-D without.
            offsets: where each bag begins.
            per_sample_weights: one for each id, of the shape of `input`.

        Raises:
            InputError: for offsets beside 2-D ids, none beside 1-D ids, or misshapen weights.
        """
        weights = per_sample_weights
        if weights is not None and weights.shape != input.shape:
            raise InputError(
                f"per_sample_weights must have the shape of the ids {tuple(input.shape)},"
                f" got {tuple(weights.shape)}"
            )
        starts = self._offsets(input, offsets)
        if weights is not None and weights.requires_grad and torch.is_grad_enabled():
            bags = Bags(int64s(input).reshape(-1), starts, None)
            vectors = self._vectors(input)
            return weighted_pool(vectors, weights.reshape(-1), bags, self._mode, 1)
        flat = None if weights is None else float32s(weights).reshape(-1)
        bags = Bags(int64s(input).reshape(-1), starts, flat)
        step = PooledStep(self, self._group, bags, FIRST, len(starts) - 1)
        return self._run(step, input.device)

    def _tables_changed(self) -> None:
        self._group = make_group([Member(self.table, (0,), self._mode)])

    def _offsets(self, ids: torch.Tensor, offsets: torch.Tensor | None) -> Any:
        if ids.dim() == 2 and offsets is None:
            rows, length = ids.shape
            return np.arange(rows + 1, dtype=np.int64) * length
        if ids.dim() != 1 or offsets is None or offsets.dim() != 1:
            given = "none" if offsets is None else f"offsets {tuple(offsets.shape)}"
            raise InputError(
                "ids must be (N,) with offsets (B,), or (B, L) without,"
                f" got {tuple(ids.shape)} and {given}"
            )
        starts = int64s(offsets)
        return starts if self._include_last_offset else np.append(starts, len(ids))
