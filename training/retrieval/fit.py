"""Learning to rank pairs: BPR in mini-batches, stopped where the validation part says."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from training.retrieval.interactions import Interactions, Pairs
from training.retrieval.ranking import Ranking, rank


@dataclass(frozen=True)
class Fit:
    """Says how long and how fast to learn.

    Args:
        lr: of Adam.
        weight_decay: of Adam, added to the gradients.
        batch_size: pairs a step.
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
) -> Fitted:
    """Trains a retrieval model and leaves it as it was when it validated best.

    Loss: the mean of -log sigmoid(score of a pair - score of the user with a random item). Rendle
    et al., BPR, arXiv 1205.2618, equation 1; items are drawn from all, once a pair and epoch.

    Args:
        model: a `Retrieval`; its parameters are trained.
        interactions: train is learned, validation decides, test is not read.
        config: of the training.
        seed: of the order of pairs and of the items drawn.
        hears: is told each epoch's number, mean loss, and figures where it was validated.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
    )
    began, curve = time.monotonic(), []
    best: tuple[float, int, dict[str, Tensor]] | None = None
    asked = _asked(interactions.validation, config.users)
    for epoch in range(1, config.epochs + 1):
        loss = _epoch(model, optimizer, interactions, config.batch_size, generator)
        if epoch % config.eval_every and epoch < config.epochs:
            hears(epoch, loss, None)
            continue
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


def _epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    interactions: Interactions,
    batch_size: int,
    generator: torch.Generator,
) -> float:
    total = torch.zeros((), dtype=torch.float64)
    for users, items in _batches(interactions.train, batch_size, generator):
        others = torch.randint(interactions.num_items, items.shape, generator=generator)
        ours, theirs = model.triples(users, items, others)
        loss = nn.functional.softplus(theirs - ours)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        total += loss.detach().sum()
    return float(total) / max(len(interactions.train.users), 1)


def _batches(
    pairs: Pairs, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    users, items = torch.from_numpy(pairs.users), torch.from_numpy(pairs.items)
    for chosen in torch.randperm(len(users), generator=generator).split(size):
        yield users[chosen], items[chosen]


def _asked(validation: Pairs, number: int) -> np.ndarray | None:
    present = np.unique(validation.users)
    if not number or number >= len(present):
        return None
    return np.random.default_rng(0).choice(present, number, replace=False)
