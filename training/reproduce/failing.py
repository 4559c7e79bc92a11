"""A trainer that loses shards, forked at the earliest snapshot that any of them comes back from."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed import set_num_threads
from recsys_embed.deltas import Delta, apply, decode, encode
from recsys_embed.errors import InputError
from recsys_embed.row_maps import RowMapConfig
from training.config import RunConfig
from training.events import Events
from training.reproduce.lost_shard import Failure, Saved, Shards
from training.reproduce.online_trainer import Order, learn_whole
from training.reproduce.serving_copy import LINEAGE
from training.reproduce.streams import one_id
from training.splits import Parts
from training.state import Session
from training.train import row_maps_of


class Fork(NamedTuple):
    """A trainer at one moment, from which any number of others go on."""

    tables: bytes
    net: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Start:
    """What trainers that lose shards have in common.

    Args:
        config, row_maps: of each.
        shards: of each.
        events: that there are.
        order: those from the fork on.
        first: position in `order` of the first event of the online part.
        cuts: ascending positions in `order` over which no batch reaches.
        fork: the trainer before them.
        logits: of a trainer that loses nothing; none as yet, while it learns.
    """

    config: RunConfig
    row_maps: Mapping[str, RowMapConfig]
    shards: Shards
    events: Events
    order: Order
    first: int
    cuts: Sequence[int]
    fork: Fork
    logits: NDArray[np.float32]

    def plan(self, age: int | None, number: int) -> list[Failure]:
        """Gives the failures, as `Shards.failures` does, by position in `order`."""
        return self.shards.failures(times_of(self.events, self.order), self.first, number, age)

    def touched(
        self, plan: Sequence[Failure], users: str
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tells the events after the first failure, and of them those of users of a lost shard.

        A user's events count until the next failure.

        Raises:
            InputError: if an event has not exactly one user.
        """
        ids = one_id(self.events, users, self.order)
        after, lost = np.zeros((2, len(ids)), bool)
        for failure in plan:  # each overwrites what the one before it said of later events
            span = slice(failure.at, None)
            after[span], lost[span] = True, self.shards.hold(failure.shard, ids[span])
        return after, lost


def begin(
    config: RunConfig,
    events: Events,
    parts: Parts,
    ages: Sequence[int | None],
    number: int,
    shards: Shards,
) -> Start:
    """Learns up to the earliest snapshot, and from there on without a loss.

    Args:
        config: of the trainer.
        events, parts: shards are lost in the test part.
        ages: all that there will be, so that batches are the same for each; None: no snapshot.
        number: of failures.
        shards: of each table.
    """
    whole, row_maps = np.concatenate(parts), row_maps_of(config, events, parts)
    first, times = len(whole) - len(parts.test), times_of(events, whole)
    plans = [shards.failures(times, first, number, age) for age in ages]
    marks = {mark for plan in plans for each in plan for mark in (each.at, each.saved)}
    cuts = sorted(mark for mark in marks if mark is not None)
    fork = learned(config, row_maps, events, whole[: cuts[0]])
    rest, moved = whole[cuts[0] :], [cut - cuts[0] for cut in cuts]
    none = np.zeros(0, np.float32)
    start = Start(config, row_maps, shards, events, rest, first - cuts[0], moved, fork, none)
    return replace(start, logits=learn_failing(go_on(start), start, []))


def learned(
    config: RunConfig, row_maps: Mapping[str, RowMapConfig], events: Events, order: Order
) -> Fork:
    """Learns events in order from nothing, and keeps what came of it."""
    set_num_threads(config.train.threads or 1)
    torch.set_num_threads(1)
    session = Session(config, row_maps)
    tables = session.model.collection.tables
    for table in tables.values():
        table.track_changes()
    learn_whole(session, events, order)
    changes = {name: table.changes(0, admission=True) for name, table in tables.items()}
    delta = Delta.of(changes, lineage=LINEAGE, number=1, state=True, created_s=0.0)
    return Fork(
        encode(delta),
        deepcopy(session.model.net.state_dict()),
        deepcopy(session.optimizer.state_dict()),
    )


def go_on(start: Start) -> Session:
    """Gives a trainer that goes on from the fork as the one forked would have, bit for bit."""
    session = Session(start.config, start.row_maps)
    apply(decode(start.fork.tables), session.model.collection.tables)
    session.model.net.load_state_dict(start.fork.net)
    session.optimizer.load_state_dict(deepcopy(dict(start.fork.optimizer)))
    return session


def learn_failing(session: Session, start: Start, plan: Sequence[Failure]) -> NDArray[np.float32]:
    """Learns all events from the fork on, and loses shards as planned.

    Returns:
        The log-odds of each event from before it was learned.
    """
    tables, shards, done = session.model.collection.tables, start.shards, 0
    logits, kept = [], dict[Failure, Saved]()
    for cut in [*start.cuts, len(start.order)]:
        logits.append(learn_whole(session, start.events, start.order[done:cut]))
        kept |= {each: shards.save(each.shard, tables) for each in plan if each.saved == cut}
        for each in (each for each in plan if each.at == cut):
            shards.lose(each.shard, tables, kept.pop(each, None))
        done = cut
    return np.concatenate(logits)


def times_of(events: Events, order: Order) -> NDArray[np.int64]:
    """Gives the times of events.

    Raises:
        InputError: if they have none.
    """
    if events.times is None:
        raise InputError("a stream needs events.time: it tells what is how old")
    return events.times[order]
