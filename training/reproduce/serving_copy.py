"""A model that serves: it knows of training what deltas told it, and no more."""

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed.deltas import Delta, apply, decode, encode
from recsys_embed.row_maps import RowMapConfig
from training.events import Events
from training.recommender import Recommender
from training.reproduce.online_trainer import Order, batch_of
from training.state import Session
from training.step import predict

LINEAGE = "5b0ff1f0-3a52-4f0e-9d6c-6d1f1c7f9e21"  # of logs that nobody keeps
EVENTS_AT_ONCE = 4096


class ServingCopy:
    """Follows a trainer, from empty tables on; its first synchronization is of everything.

    One copy of the tables serves several networks, each with dense layers of its own age.

    Args:
        trainer: whose tables track their changes since they were empty.
        row_maps: those of the trainer.
        every: seconds of event time between synchronizations of the tables; 0: never again.
        dense: such seconds of the dense layers by the network's name; 0: whenever the tables are.
        now: seconds; the moment of the first one.
        phase: seconds by which the tables' other moments come before the multiples of `every`.
    """

    def __init__(
        self,
        trainer: Session,
        row_maps: Mapping[str, RowMapConfig],
        every: int,
        dense: Mapping[str, int],
        now: int,
        phase: int = 0,
    ) -> None:
        self._trainer, self._every, self._dense = trainer, every, dense
        self._now, self._phase = now, phase
        self._models = {name: Recommender(trainer.config, row_maps) for name in dense}
        self.tables = next(iter(self._models.values())).collection.tables
        for model in self._models.values():
            model.collection.replace_tables(self.tables)
        self._cursors = dict.fromkeys(self.tables, 0)
        self._waiting: list[Order] = []
        self._logits: dict[str, list[NDArray[np.float32]]] = {name: [] for name in dense}
        self._number = self.rows_sent = 0
        self._get(is_due=True, networks=list(dense))
        self.rows_sent = 0  # what the start took is no cost of being fresh

    def serve(self, events: Events, chosen: Order, now: int) -> None:
        """Predicts events of the moment `now`, once what is due by then has come."""
        is_due = bool(self._every) and self._is_over(self._every, now, self._phase)
        networks = [
            name
            for name, age in self._dense.items()
            if self._every and (self._is_over(age, now) if age else is_due)
        ]
        self._now = now
        if is_due or networks:
            self._predict(events)
            self._get(is_due=is_due, networks=networks)
        self._waiting.append(chosen)

    def finish(self, events: Events) -> dict[str, NDArray[np.float32]]:
        """Returns what each network said of all events served, in order."""
        self._predict(events)
        none = np.zeros(0, np.float32)
        return {name: np.concatenate([none, *parts]) for name, parts in self._logits.items()}

    def network(self, name: str) -> torch.nn.Module:
        """Gives the dense layers of a network as they are now."""
        return self._models[name].net

    def _is_over(self, seconds: int, now: int, phase: int = 0) -> bool:
        return (self._now + phase) // seconds < (now + phase) // seconds

    def _predict(self, events: Events) -> None:
        # nothing has changed since they came, so that all may be predicted at once
        waiting = np.concatenate([np.zeros(0, np.int64), *self._waiting])
        for start in range(0, len(waiting), EVENTS_AT_ONCE):
            batch = batch_of(self._trainer, events, waiting[start : start + EVENTS_AT_ONCE])
            for name, model in self._models.items():
                self._logits[name].append(predict(model, [batch]))
        self._waiting.clear()

    def _get(self, *, is_due: bool, networks: list[str]) -> None:
        delta = decode(self._sent(is_due=is_due, has_dense=bool(networks)))
        apply(delta, self.tables)
        arrays = {name: torch.from_numpy(np.array(a)) for name, a in delta.dense.items()}
        for name in networks:
            self._models[name].net.load_state_dict(arrays)
        self._cursors |= {name: part.seq for name, part in delta.tables.items()}
        self.rows_sent += sum(len(part.ids) for part in delta.tables.values())
        self._number = delta.number

    def _sent(self, *, is_due: bool, has_dense: bool) -> bytes:
        trained = self._trainer.model
        tables = trained.collection.tables if is_due else {}
        weights = trained.net.state_dict() if has_dense else {}
        with ExitStack() as open_changes:
            changes = {
                name: open_changes.enter_context(table.changes(self._cursors[name], admission=True))
                for name, table in tables.items()
            }
            delta = Delta.of(
                changes,
                lineage=LINEAGE,
                number=self._number + 1,
                state=True,
                dense={name: value.numpy() for name, value in weights.items()},
                created_s=float(self._now),
            )
        return encode(delta)
