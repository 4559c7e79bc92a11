"""Where a run is, and everything that decides how it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed.row_maps import RowMapConfig
from training.config import RunConfig
from training.recommender import Recommender

Record = dict[str, Any]


@dataclass
class Position:
    """Counts what is done; plain values, kept in each checkpoint.

    Args:
        epoch: passes completed.
        batch: batches of the current pass completed.
        steps: batches in all.
        examples: events in all.
        records: the learning curve so far, one record a window or evaluation.
        best: the best monitored value so far; None before the first evaluation.
        best_step: where it was seen.
        evaluations_since_best: how long ago.
    """

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    examples: int = 0
    records: list[Record] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    evaluations_since_best: int = 0

    def is_better(self, monitor: str, value: float) -> bool:
        """Takes note of an evaluation; says whether it is the best so far.

        A NaN is never better, except than nothing.
        """
        sign = 1 if monitor == "auc" else -1
        better = self.best is None or sign * value > sign * self.best or np.isnan(self.best)
        if better:
            self.best, self.best_step, self.evaluations_since_best = value, self.steps, 0
        else:
            self.evaluations_since_best += 1
        return better


class Session:
    """A model in training, its optimizer, its position, and the window of its last predictions."""

    def __init__(self, config: RunConfig, row_maps: Mapping[str, RowMapConfig]) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.model = Recommender(config, row_maps, config.train.missing)
        self.optimizer = torch.optim.Adam(
            self.model.net.parameters(), lr=config.train.lr, weight_decay=config.train.weight_decay
        )
        self.position = Position()
        self.window: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    @property
    def is_done(self) -> bool:
        """Says whether all epochs are trained, or patience is at an end."""
        train = self.config.train
        is_tired = 0 < train.patience <= self.position.evaluations_since_best
        return is_tired or self.position.epoch >= train.epochs

    def expire(self) -> None:
        """Takes away every row that is due, and gives the memory of their chunks back."""
        for table in self.model.collection.tables.values():
            table.expire()
            table.compact()
