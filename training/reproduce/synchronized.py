"""One training and the copies that serve meanwhile, second by second."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed import set_num_threads
from training.config import RunConfig
from training.events import Events
from training.reproduce.ctr import sizes
from training.reproduce.online_trainer import OnlineTrainer, Order, batch_of, learn_whole, moments
from training.reproduce.serving_copy import ServingCopy
from training.splits import Parts
from training.state import Session
from training.train import row_maps_of

BATCH = "batch"


class Served(NamedTuple):
    """What copies said of the online part.

    Args:
        events, order: that it consists of.
        logits: of its events, one for each phase, by copy.
        rows_sent: after the start, on average over phases, by copy.
        rows, parameters: of the trainer in the end.
    """

    events: Events
    order: Order
    logits: Mapping[str, Sequence[NDArray[np.float32]]]
    rows_sent: Mapping[str, float]
    rows: int
    parameters: int


def serve(
    config: RunConfig,
    events: Events,
    parts: Parts,
    intervals: Mapping[str, int],
    dense: Mapping[str, int],
    phases: Mapping[str, int] | None = None,
) -> Served:
    """Trains on what comes before the test part, then serves and learns that second by second.

    A copy predicts the events of a second from what it last got; then training learns them. So a
    copy that gets everything every second knows all events of earlier seconds, and no other.

    Args:
        config: of the trainer.
        events, parts: those of the test part have times.
        intervals: seconds between synchronizations, by name.
        dense: those of the dense layers, by name.
        phases: how many copies synchronize at moments of their own, spread evenly over an interval,
            by its name; 1, if it is not there.
    """
    set_num_threads(config.train.threads or 1)
    torch.set_num_threads(1)
    row_maps = row_maps_of(config, events, parts)
    session = Session(config, row_maps)
    for table in session.model.collection.tables.values():
        table.track_changes()
    learn_whole(session, events, np.concatenate(parts[:2]))
    assert events.times is not None
    online, times = parts.test, events.times[parts.test]
    start = int(times[0]) - 1
    never = ServingCopy(session, row_maps, 0, {BATCH: 0}, start)
    copies = {
        name: [
            ServingCopy(session, row_maps, every, dense, start, every * k // count)
            for k in range(count)
        ]
        for name, every in intervals.items()
        for count in [(phases or {}).get(name, 1)]
    }
    trainer, size = OnlineTrainer(session), config.train.batch_size
    for moment in moments(times):
        chosen, now = online[moment], int(times[moment.start])
        for copy in (never, *chain(*copies.values())):
            copy.serve(events, chosen, now)
        for k in range(0, len(chosen), size):
            trainer.learn(batch_of(session, events, chosen[k : k + size]))
    logits = {BATCH: [never.finish(events)[BATCH]]}
    sent = {BATCH: 0.0}
    for name, own in copies.items():
        said = [copy.finish(events) for copy in own]
        logits |= {f"{name},{network}": [each[network] for each in said] for network in dense}
        mean = sum(copy.rows_sent for copy in own) / len(own)
        sent |= {f"{name},{network}": mean for network in dense}
    rows, parameters = sizes(session.model.collection.tables)
    return Served(events, online, logits, sent, rows, parameters)
