"""A trainer that learns on from however few events come at once, as it did from whole batches."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.batches import Batch, batches, make_batch
from training.events import Events
from training.losses import log_loss
from training.state import Session
from training.step import train_step

Order = NDArray[np.int64]


class OnlineTrainer:
    """Learns from parts of batches with the rates of whole ones.

    The gradient of an event is the one that it has in the mean loss over a batch of B events.
    Tables learn at once; the dense layers sum gradients up, and step when B events have come.

    Args:
        session: in training; `config.train.batch_size` is B.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._size = session.config.train.batch_size
        self._waiting = 0

    def learn(self, batch: Batch) -> NDArray[np.float32]:
        """Predicts, then learns; returns the log-odds from before learning."""
        model, optimizer = self.session.model, self.session.optimizer
        model.train()
        logits = model(batch)
        if not self._waiting:
            optimizer.zero_grad()
        (log_loss(logits, batch.labels) * (len(logits) / self._size)).backward()
        self._waiting += len(logits)
        if self._waiting >= self._size:
            optimizer.step()
            self._waiting = 0
        return logits.detach().numpy()


def learn_whole(session: Session, events: Events, order: Order) -> NDArray[np.float32]:
    """Learns events in order, a batch at a time; returns their log-odds from before learning."""
    logits = [
        train_step(session.model, session.optimizer, batch)
        for batch in batches(events, order, session.config.train.batch_size, session.model.features)
    ]
    return np.concatenate(logits or [np.zeros(0, np.float32)])


def batch_of(session: Session, events: Events, chosen: Order) -> Batch:
    """Gathers events as the session's model takes them."""
    return make_batch(events, chosen, session.model.features)


def moments(times: NDArray[np.int64]) -> list[slice]:
    """Divides ascending times into stretches of one second each.

    Example:
        >>> moments(np.array([5, 5, 6, 9, 9]))
        [slice(0, 2, None), slice(2, 3, None), slice(3, 5, None)]
    """
    starts = np.flatnonzero(np.diff(times, prepend=times[:1] - 1)).tolist()
    return [slice(a, b) for a, b in pairwise([*starts, len(times)])]
