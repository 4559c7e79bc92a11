"""Steps of two towers, epoch after epoch, until validation says that it is enough."""

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed import nn
from training.retrieval.losses import SampledSoftmax
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.mining import mine
from training.retrieval.towers.model import Towers
from training.retrieval.towers.sampling import Batch, Sampler


class Progress(NamedTuple):
    """Where training is: pairs done of those of an epoch, its mean loss so far, and at its end the
    figure of the validation part."""

    epoch: int
    done: int
    pairs: int
    loss: float
    validation: float | None = None


Hears = Callable[[Progress], None]


class Learned(NamedTuple):
    """The best epoch, its validation figure, all figures by epoch, seconds of training."""

    epoch: int
    validation: float
    curve: list[Progress]
    seconds: float


class Learner:
    """Trains towers on the batches of a sampler.

    Args:
        towers: trained in place.
        users: what the user tower is fed for each basket of the log.
        items: what the item tower is fed for each item of the catalogue.
        sampler: of the train part.
        times: int64 (B,), of the baskets.
        config: of the run.
    """

    def __init__(
        self,
        towers: Towers,
        users: Examples,
        items: Examples,
        sampler: Sampler,
        times: NDArray[np.int64],
        config: RetrievalConfig,
    ) -> None:
        self.towers, self._users, self._items = towers, users, items
        self._sampler, self._times, self._config = sampler, times, config
        self._rng = np.random.default_rng([config.seed, 1])
        towers.log_sharpness.requires_grad_(config.learn_temperature)
        self._optimizer = torch.optim.Adam(
            [p for p in towers.parameters() if p.requires_grad],
            lr=config.train.lr,
            weight_decay=config.train.weight_decay,
        )

    def fit(self, validate: Callable[[], float], hears: Hears) -> Learned:
        """Trains until validation gets no better, and leaves the towers as they were at the best.

        Args:
            validate: judges the towers as they are; more is better.
            hears: is told of progress.
        """
        began, curve, best = time.monotonic(), [], (-np.inf, 0)
        train = self._config.train
        with tempfile.TemporaryDirectory() as kept:
            for epoch in range(1, train.epochs + 1):
                told = self._epoch(epoch, hears)._replace(validation=validate())
                curve.append(told)
                hears(told)
                assert told.validation is not None
                if told.validation > best[0]:
                    best = told.validation, epoch
                    state = self._keep(Path(kept))
                elif train.patience and epoch - best[1] >= train.patience:
                    break
            if best[1] < len(curve):
                nn.load(Path(kept), self.towers)
                self._optimizer.load_state_dict(state)
        return Learned(best[1], best[0], curve, time.monotonic() - began)

    def step(self, batch: Batch) -> float:
        """Learns a batch; gives its mean loss from before."""
        self._optimizer.zero_grad()
        loss = self.descend(batch)
        self._optimizer.step()
        return loss

    def descend(self, batch: Batch) -> float:
        """Learns a batch by the tables alone, whose step is in backward; gives its mean loss."""
        config, towers = self._config, self.towers
        towers.train()
        towers.tables.set_time(int(self._times[batch.baskets].max()))
        is_hidden = self._rng.random(len(batch.items)) < config.train.id_dropout
        users = towers.user(self._users.take(batch.baskets))
        items = towers.item(self._items.take(batch.items, config.item_input, is_hidden))
        scores = towers.scores(users, items) * towers.log_sharpness.exp()
        total = loss = config.loss(batch.scored(scores)).mean()
        if batch.hard.shape[1]:
            hard = config.loss(batch.hard_scored(scores)).mean()
            total = loss + config.negatives.hard_weight * hard
        total.backward()  # type: ignore[no-untyped-call]  # torch's
        return float(loss.detach())

    @property
    def temperature(self) -> float | None:
        """What products are divided by, as learned; None for a loss without one."""
        if not isinstance(self._config.loss, SampledSoftmax):
            return None
        return self._config.loss.temperature / float(self.towers.log_sharpness.detach().exp())

    def _epoch(self, epoch: int, hears: Hears) -> Progress:
        sum_, done = 0.0, 0
        for batch in self._batches(epoch):
            sum_ += self.step(batch) * len(batch.own)
            done += len(batch.own)
            told = Progress(epoch, done, len(self._sampler), sum_ / done)
            hears(told)
        for table in self.towers.tables.tables.values():
            table.expire()
        return told

    def _batches(self, epoch: int) -> Iterator[Batch]:
        negatives, train = self._config.negatives, self._config.train
        hard = None
        if negatives.hard and epoch > 1:
            sizes = self._sampler.num_items, self._sampler.num_baskets
            hard = mine(self.towers, self._users, self._items, *sizes, negatives.band)
        return self._sampler.epoch(train.batch_size, train.order == "shuffled", hard)

    def _keep(self, root: Path) -> dict[str, object]:
        nn.save(root, self.towers, keep=1)
        return copy.deepcopy(self._optimizer.state_dict())
