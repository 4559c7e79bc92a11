"""Learning to rank pairs, stopped where the validation part says, or after so many epochs."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from training.retrieval.interactions import Interactions, Pairs
from training.retrieval.models import Retrieval
from training.retrieval.objectives import Objective, Triples
from training.retrieval.ranking import Ranking, rank


@dataclass(frozen=True)
class Fit:
    """Says how long and how fast to learn.

    Args:
        lr: of Adam.
        weight_decay: of Adam, added to the gradients.
        batch_size: pairs a step, of BPR.
        epochs: passes over the train pairs at the most.
        eval_every: epochs between looks at the validation part.
        patience: looks without a better recall until training stops.
        users: of the validation part that a look asks, drawn once; 0: all.
        k: places that count.
    """

    lr: float = 1e-3
    weight_decay: float = 1e-6
    batch_size: int = 8192
    epochs: int = 60
    eval_every: int = 2
    patience: int = 3
    users: int = 0
    k: int = 20

    def __post_init__(self) -> None:
        for name in ("lr", "batch_size", "epochs", "eval_every", "patience", "k"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("weight_decay", "users"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")


class Fitted(NamedTuple):
    """What came of it: the best epoch, its validation figures, and all of them by epoch."""

    epoch: int
    validation: Ranking
    curve: list[tuple[int, Ranking]]
    seconds: float


Hears = Callable[[int, float, Ranking | None], None]


def fit(
    model: nn.Module,
    interactions: Interactions,
    config: Fit,
    seed: int = 0,
    hears: Hears = lambda epoch, loss, ranking: None,
    objective: Objective | None = None,
) -> Fitted:
    """Trains a retrieval model and leaves it as it was when it validated best.

    Args:
        model: a `Retrieval`; its parameters are trained.
        interactions: train is learned, validation decides, test is not read.
        config: of the training.
        seed: of the order of pairs and of the items drawn.
        hears: is told each epoch's number, mean loss, and figures where it was validated.
        objective: what is minimized; BPR in batches of `config.batch_size` without one.
    """
    epochs = _Epochs(model, interactions, config, seed, objective)
    began, curve = time.monotonic(), []
    best: tuple[float, int, dict[str, Tensor]] | None = None
    asked = _asked(interactions.validation, config.users)
    for epoch in range(1, config.epochs + 1):
        loss = epochs.run()
        if epoch % config.eval_every and epoch < config.epochs:
            hears(epoch, loss, None)
            continue
        model.eval()
        ranking = rank(
            model.vectors(), interactions.validation, interactions.train, config.k, asked
        )
        curve.append((epoch, ranking))
        hears(epoch, loss, ranking)
        if best is None or ranking.recall > best[0]:
            best = ranking.recall, epoch, copy.deepcopy(model.state_dict())
        elif epoch - best[1] >= config.patience * config.eval_every:
            break
    assert best is not None  # the last epoch is always validated
    model.load_state_dict(best[2])
    return Fitted(best[1], dict(curve)[best[1]], curve, time.monotonic() - began)


def fit_for(
    model: nn.Module,
    interactions: Interactions,
    config: Fit,
    epochs: int,
    seed: int = 0,
    objective: Objective | None = None,
) -> None:
    """Trains for so many epochs on the train part, as `fit` does, and asks no validation part."""
    learning = _Epochs(model, interactions, config, seed, objective)
    for _ in range(epochs):
        learning.run()
    model.eval()


class _Epochs:
    """Runs epochs one after another."""

    def __init__(
        self,
        model: nn.Module,
        interactions: Interactions,
        config: Fit,
        seed: int,
        objective: Objective | None,
    ) -> None:
        self._model = model
        self._optimizer = torch.optim.Adam(
            model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        objective = objective or Triples(config.batch_size)
        self._epoch = objective.start(interactions, torch.Generator().manual_seed(seed))

    def run(self) -> float:
        """Learns all steps of an epoch, and gives their mean loss."""
        self._model.train()
        total, weights = torch.zeros((), dtype=torch.float64), 0.0
        for loss, weight in self._epoch(cast(Retrieval, self._model)):
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            total += loss.detach() * weight
            weights += weight
        return float(total) / max(weights, 1)


def _asked(validation: Pairs, number: int) -> np.ndarray | None:
    present = np.unique(validation.users)
    if not number or number >= len(present):
        return None
    return np.random.default_rng(0).choice(present, number, replace=False)
