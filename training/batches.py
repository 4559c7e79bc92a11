"""Events to batches: dense columns, bags as a KeyedJaggedTensor, labels and the time."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

from training.events import Events


class Batch(NamedTuple):
    """B events as a model takes them.

    Args:
        dense: float32 (B, number of dense columns).
        bags: the ids of each feature, one bag an event.
        labels: float32 (B,).
        time: of its last event, seconds since the epoch; None for a log without time.
    """

    dense: Tensor
    bags: KeyedJaggedTensor
    labels: Tensor
    time: int | None


def batches(
    events: Events,
    order: NDArray[np.int64],
    batch_size: int,
    features: Sequence[str],
    *,
    start: int = 0,
) -> Iterator[Batch]:
    """Yields the events of `order`, `batch_size` at a time, from the `start`-th batch on.

    The last batch may be smaller; a single event, which batch norm could not take, joins the batch
    before it. `features` are the keys of the bags, in this order.
    """
    cuts = list(range(batch_size, len(order), batch_size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    for chosen in np.split(order, cuts)[start:] if len(order) else []:
        yield make_batch(events, chosen, features)


def make_batch(events: Events, chosen: NDArray[np.int64], features: Sequence[str]) -> Batch:
    """Gathers the chosen events, positions (B,), into a batch."""
    time = None if events.times is None or not len(chosen) else int(events.times[chosen].max())
    return Batch(
        torch.from_numpy(events.dense[chosen]),
        _keyed(events, chosen, features),
        torch.from_numpy(events.labels[chosen]),
        time,
    )


def _keyed(events: Events, chosen: NDArray[np.int64], features: Sequence[str]) -> KeyedJaggedTensor:
    is_weighted = any(events.bags[f].weights is not None for f in features)
    values, lengths, weights = [], [], []
    for bags in (events.bags[f] for f in features):
        positions, counts = bags.positions(chosen)
        values.append(bags.values[positions])
        lengths.append(counts)
        if is_weighted:
            ones = np.ones(len(positions), np.float32)
            weights.append(ones if bags.weights is None else bags.weights[positions])
    return KeyedJaggedTensor(
        keys=list(features),
        values=torch.from_numpy(np.concatenate(values)),
        lengths=torch.from_numpy(np.concatenate(lengths)),
        weights=torch.from_numpy(np.concatenate(weights)) if is_weighted else None,
    )
