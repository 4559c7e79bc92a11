"""One training and the copies that serve meanwhile, second by second."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed import set_num_threads
from training.config import RunConfig
from training.events import Events
from training.reproduce.ctr import sizes
from training.reproduce.online_trainer import OnlineTrainer, batch_of, learn_whole, moments
from training.reproduce.serving_copy import ServingCopy
from training.splits import Parts
from training.state import Session
from training.train import row_maps_of

BATCH = "batch"


class Served(NamedTuple):
    """What copies said of the online part.

    Args:
        labels: of its events.
        logits: of its events by copy.
        rows_sent: to each copy after its start.
        rows, parameters: of the trainer in the end.
    """

    labels: NDArray[np.float32]
    logits: Mapping[str, NDArray[np.float32]]
    rows_sent: Mapping[str, int]
    rows: int
    parameters: int


def serve(
    config: RunConfig,
    events: Events,
    parts: Parts,
    intervals: Mapping[str, int],
    dense: Mapping[str, int],
) -> Served:
    """Trains on what comes before the test part, then serves and learns that second by second.

    A copy predicts the events of a second from what it last got; then training learns them. So a
    copy that gets everything every second knows all events of earlier seconds, and no other.

    Args:
        config: of the trainer.
        events, parts: those of the test part have times.
        intervals: seconds between synchronizations, by name.
        dense: those of the dense layers, by name.
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
    copies = {n: ServingCopy(session, row_maps, s, dense, start) for n, s in intervals.items()}
    trainer, size = OnlineTrainer(session), config.train.batch_size
    for moment in moments(times):
        chosen, now = online[moment], int(times[moment.start])
        for copy in (never, *copies.values()):
            copy.serve(events, chosen, now)
        for k in range(0, len(chosen), size):
            trainer.learn(batch_of(session, events, chosen[k : k + size]))
    logits, sent = never.finish(events), {BATCH: 0}
    for name, copy in copies.items():
        logits |= {f"{name},{network}": said for network, said in copy.finish(events).items()}
        sent |= {f"{name},{network}": copy.rows_sent for network in dense}
    rows, parameters = sizes(session.model.collection.tables)
    return Served(events.labels[online], logits, sent, rows, parameters)
