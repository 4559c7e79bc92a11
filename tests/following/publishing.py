"""A trainer in small: tables whose every row says which entry it is of, a log, snapshots."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.delta_log import Base, DeltaLog, Writer
from recsys_embed.deltas import Delta, encode
from recsys_embed.snapshot import write_snapshot
from serving.asked import Query
from serving.following import Follower
from serving.lookup import LookupService

IDS = np.arange(64)  # have a row in every version
DIMS = {"item": 5, "user": 3}


def planted(number: int, dim: int, ids: Any = IDS) -> np.ndarray:
    """The rows of entry `number`: the entry, the id, then zeros; no two entries agree in any."""
    rows = np.zeros((len(ids), dim), np.float32)
    rows[:, 0], rows[:, 1] = number, ids
    return rows


class Trainer:
    """Writes all rows anew in every entry, in both tables; id 1000 + number comes and soon goes.

    Args:
        log: to publish to.
        root: where snapshots go.
        base: whether a snapshot stands at the beginning.
    """

    def __init__(self, log: DeltaLog, root: Path, *, at: int = 0, **options: Any) -> None:
        self.log, self.root, self.options = log, root, options
        self.lineage, self.number = str(uuid4()), at
        self.tables = {n: CollisionlessTable(TableConfig.of(n, d)) for n, d in DIMS.items()}
        self._write()
        self.cursors = {name: table.seq for name, table in self.tables.items()}
        base = Base(at, str(self.save()))
        self.writer: Writer = log.open_writer(self.lineage, base=base, wait_s=5, take_over=True)

    def _write(self) -> None:
        for name, table in self.tables.items():
            table.track_changes()
            ids = np.append(IDS, 1000 + self.number)
            table.assign(ids, planted(self.number, DIMS[name], ids))
            table.evict(np.array([1000 + self.number - 3]))

    def step(self) -> Delta:
        """Trains, and gives what changed."""
        self.number += 1
        self._write()
        state = bool(self.options.get("state"))
        changes = {n: t.changes(self.cursors[n], admission=state) for n, t in self.tables.items()}
        delta = Delta.of(changes, lineage=self.lineage, number=self.number, **self.options)
        for name, one in changes.items():
            self.cursors[name] = one.seq
            one.close()
        return delta

    def publish(self, entries: int = 1) -> None:
        for _ in range(entries):
            delta = self.step()
            self.writer.append(self.number, self.number - 1, encode(delta))

    def save(self) -> Path:
        """Writes a snapshot of this moment."""
        extra = {"log": {"lineage": self.lineage, "number": self.number}}
        return write_snapshot(self.root, self.tables, extra=extra)

    def base(self, *, trim: int = 0) -> Path:
        """Writes a snapshot and makes it the log's base."""
        path = self.save()
        self.writer.trim(trim, Base(self.number, str(path)))
        return path


def check(service: LookupService) -> tuple[str, int]:
    """Holds every answer of a service to the version it names; gives that version."""
    lineage, _, text = service.version.partition(":")
    number = int(text)
    asked = np.append(IDS, 1000 + np.arange(number - 4, number + 2))
    answers = service.lookup_many([Query(name, asked, "zeros") for name in DIMS])
    for answer in answers:
        dim, n = DIMS[answer.table], len(IDS)
        assert answer.found[:n].all()
        np.testing.assert_array_equal(answer.values[:n], planted(number, dim))
        alive = (asked > 1000 + number - 3) & (asked <= 1000 + number)
        assert not (answer.found & ~alive)[n:].any()
        assert answer.found[asked == 1000 + number].all()
    return lineage, number


def until(is_so: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Waits for something to become true, and gives it."""
    deadline = time.monotonic() + timeout_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return found


class Following:
    """A follower and what it serves."""

    def __init__(self, log: DeltaLog, **options: Any) -> None:
        self.services: list[LookupService] = []
        self.follower = Follower(log, "replica-1", self.services.append, **options)

    @property
    def standing(self) -> Any:
        return self.follower.standing

    def reach(self, trainer: Trainer) -> None:
        """Waits for what the trainer has published, and checks it."""
        until(lambda: (self.standing.lineage, self.standing.number) == reached(trainer))
        assert check(self.services[-1]) == reached(trainer)


def reached(trainer: Trainer) -> tuple[str, int]:
    return trainer.lineage, trainer.number


@contextmanager
def following(log: DeltaLog, **options: Any) -> Iterator[Following]:
    """A follower that runs meanwhile."""
    found = Following(log, **options)
    found.follower.start()
    try:
        yield found
    finally:
        found.follower.stop()
