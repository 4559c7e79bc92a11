"""One pass in time order in which every event is predicted before it is learned."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable, Hashed
from training.batches import batches
from training.config import RunConfig
from training.events import Events
from training.splits import Parts
from training.state import Session
from training.step import train_step
from training.train import row_maps_of

FLOAT_BYTES = 4


class Pass(NamedTuple):
    """What came of a pass.

    Args:
        logits: float32, of all events in order.
        bytes: that the tables took at most.
        session: as it was left.
    """

    logits: NDArray[np.float32]
    bytes: int
    session: Session


def prequential(config: RunConfig, events: Events, parts: Parts) -> Pass:
    """Predicts and learns batch by batch, through all parts: the model never saw what it predicts.

    Gama, Sebastião, Rodrigues, On evaluating stream learning algorithms (Machine Learning 2013).
    """
    session = Session(config, row_maps_of(config, events, parts))
    tables = session.model.collection.tables.values()
    order, logits, most = np.concatenate(parts), [], 0
    for n, batch in enumerate(
        batches(events, order, config.train.batch_size, session.model.features), 1
    ):
        logits.append(train_step(session.model, session.optimizer, batch))
        if n % config.train.expire_every == 0:
            session.expire()
            most = max(most, sum(map(bytes_of, tables)))
    session.expire()
    return Pass(np.concatenate(logits), max(most, sum(map(bytes_of, tables))), session)


def bytes_of(table: CollisionlessTable) -> int:
    """Gives what a table takes: rows, index and counts of admission; hashed, a plain array's."""
    if isinstance(row_map := table.config.row_map, Hashed):
        return row_map.rows * (table.config.dim + table.config.state_width) * FLOAT_BYTES
    return table.stats().bytes
