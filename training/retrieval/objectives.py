"""What an epoch goes over: pairs and a random item, batches of pairs, or users with all theirs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from recsys_embed.errors import ConfigError
from training.retrieval.by_user import PairsByUser, scored_by_user
from training.retrieval.frequency import StreamingFrequency
from training.retrieval.interactions import Interactions, Pairs
from training.retrieval.losses import PairwiseRanking, RetrievalLoss
from training.retrieval.models import Retrieval
from training.retrieval.scoring import Uniform, in_batch


class Step(NamedTuple):
    """The mean loss of a step, and what it weighs beside the others of its epoch."""

    loss: Tensor
    weight: float


Epoch = Callable[[Retrieval], Iterator[Step]]


class Objective(Protocol):
    """Goes over train pairs; a step's loss is taken after the step before has been learned."""

    def start(self, interactions: Interactions, generator: torch.Generator) -> Epoch:
        """Gives what is called with the model once an epoch."""
        ...


@dataclass(frozen=True)
class Triples:
    """Ranks each pair of a batch above the user's pair with one random item, by `model.triples`.

    Rendle et al., BPR, arXiv 1205.2618, equation 1; items are drawn from all, anew each epoch.
    """

    kind: ClassVar[str] = "triples"
    batch_size: int = 8192

    def start(self, interactions: Interactions, generator: torch.Generator) -> Epoch:
        """Draws the pairs' order and the other items from the generator."""

        def epoch(model: Retrieval) -> Iterator[Step]:
            for users, items in _batches(interactions.train, self.batch_size, generator):
                others = torch.randint(interactions.num_items, items.shape, generator=generator)
                ours, theirs = model.triples(users, items, others)
                yield Step(softplus(theirs - ours).mean(), len(users))

        return epoch


@dataclass(frozen=True)
class InBatch:
    """Scores every user of a batch of pairs with every item of it, and with uniform ones.

    Chances of items are estimated while they stream by, as where no log is at hand.

    Args:
        loss: takes the scores.
        batch_size: pairs a step.
        uniform: items drawn from all, for each step.
        rate: of the `StreamingFrequency`.
    """

    kind: ClassVar[str] = "in-batch"
    loss: RetrievalLoss
    batch_size: int = 2048
    uniform: int = 0
    rate: float = 0.05

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.uniform < 0:
            raise ConfigError(
                "in-batch negatives need batch_size >= 1 and uniform >= 0, got"
                f" {self.batch_size} and {self.uniform}"
            )

    def start(self, interactions: Interactions, generator: torch.Generator) -> Epoch:
        """Begins with frequencies that know nothing."""
        frequency, num_items = StreamingFrequency(rate=self.rate), interactions.num_items

        def epoch(model: Retrieval) -> Iterator[Step]:
            for users, items in _batches(interactions.train, self.batch_size, generator):
                others = torch.randint(num_items, (self.uniform,), generator=generator)
                frequency.update(items.numpy())
                log_q, others_q = (_log_q(frequency, ids) for ids in (items, others))
                all_users, all_items = model.vectors()
                uniform = Uniform(all_items[others], others, others_q, num_items)
                scored = in_batch(
                    all_users[users],
                    all_items[items],
                    items,
                    log_q,
                    uniform if others.numel() else None,
                )
                yield Step(self.loss(scored).mean(), len(users))

        return epoch


@dataclass(frozen=True)
class ByUser:
    """Scores a block of users with all their items beside negatives that the block shares.

    A user's vector is scored once for all their pairs, so that an epoch costs a fraction of one
    over pairs. A user's own items are none of their negatives.

    Args:
        loss: takes the scores.
        users: a step.
        negatives: a step, for all its users; no more than there are items, if all are uniform.
        uniform: share of the negatives drawn from all items; the others come as pairs' items do.
        user_power: a pair weighs (pairs of its user)^-user_power: 0 counts pairs, 1 users alike.
    """

    kind: ClassVar[str] = "by-user"
    loss: RetrievalLoss
    users: int = 1024
    negatives: int = 4096
    uniform: float = 1.0
    user_power: float = 0.0

    def __post_init__(self) -> None:
        if self.users < 1 or self.negatives < 1 or not 0 <= self.uniform <= 1:
            raise ConfigError(
                "negatives by user need users >= 1, negatives >= 1 and uniform in [0, 1], got"
                f" {self.users}, {self.negatives} and {self.uniform}"
            )
        if isinstance(self.loss, PairwiseRanking) and self.negatives > 256:
            raise ConfigError(
                "bpr by user holds a number for each pair and negative; expected negatives <= 256,"
                f" got {self.negatives}"
            )

    def start(self, interactions: Interactions, generator: torch.Generator) -> Epoch:
        """Sorts the pairs by user."""
        pairs = PairsByUser(interactions.train, interactions.num_items, self.uniform)
        present = torch.from_numpy(np.unique(interactions.train.users))

        def epoch(model: Retrieval) -> Iterator[Step]:
            for places in torch.randperm(len(present), generator=generator).split(self.users):
                block = pairs.of(present[places])
                drawn = pairs.draw(self.negatives, generator)
                losses = self.loss(scored_by_user(model.vectors(), block, drawn, pairs.log_q))
                weights = block.numbers[block.rows] ** -self.user_power
                yield Step(losses @ weights / weights.sum(), float(weights.sum()))

        return epoch


AnyObjective = Triples | InBatch | ByUser


def _batches(
    pairs: Pairs, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    users, items = torch.from_numpy(pairs.users), torch.from_numpy(pairs.items)
    for chosen in torch.randperm(len(users), generator=generator).split(size):
        yield users[chosen], items[chosen]


def _log_q(frequency: StreamingFrequency, ids: Tensor) -> Tensor:
    return torch.from_numpy(frequency.log_q(ids.numpy()))
