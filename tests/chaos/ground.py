"""What faults happen on: planted logs, trainers that start in no time, and the known answers."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.chaos.patches import FINISHING, OWN
from tests.chaos.rows import Tables, load_rows
from tests.online import runs
from tests.trainers import Trainers

FULL = ("--set", "train.wait_s=1e6")  # batches are full at any speed, and so the bits the same
TELL = "tests.chaos.patches:tell_own_tables"


@dataclass(frozen=True)
class Planted:
    """A log and the config of a run on it.

    Attributes:
        config: the config's file.
        users: how often each user is in the log; they never expire.
        ids: all that are in the log, by table.
        whole: the tables of a run that nothing happened to.
        finishing_s: how long its last entry and snapshot took.
    """

    config: Path
    users: Counter[int]
    ids: dict[str, NDArray[np.int64]]
    whole: Tables
    finishing_s: float


@dataclass
class Ground:
    """Where everything is, and who starts trainers.

    Args:
        folder: for all files.
        trainers: that are entered.
    """

    folder: Path
    trainers: Trainers
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _scenes: int = 0
    _planted: dict[str, Planted] = field(default_factory=dict)

    def plant(self, events: int) -> Planted:
        """Writes a log of users, items and clicks, and runs it once from end to end."""
        return self._once(f"log-{events}", events=events, batch=16)

    def plant_rows(self, rows: int) -> Planted:
        """The same of a log in which no user and no item comes twice: each makes a row."""
        each = np.arange(rows // 2)
        frame = pl.DataFrame(
            {"user": each, "item": each, "clicked": each % 3 == 0, "when": each + 1_320_192_000}
        )
        return self._once(f"rows-{rows}", frame, events=1, outcome="", ttl_days=1000.0, batch=4096)

    def plant_whole(self, events: int) -> Planted:
        """The same of events that need no outcome, and fill their batches."""
        return self._once(f"events-{events}", events=events // 16 * 16, batch=16, outcome="")

    def _once(self, name: str, frame: pl.DataFrame | None = None, **values: Any) -> Planted:
        if name not in self._planted:
            folder = self.folder / name
            folder.mkdir()
            config = runs.write_config(folder, **values)
            if frame is not None:
                frame.write_parquet(folder / "log.parquet")
            self._planted[name] = self._learned(config, pl.read_parquet(folder / "log.parquet"))
        return self._planted[name]

    def _learned(self, config: Path, frame: pl.DataFrame) -> Planted:
        output = config.parent / "whole"
        arguments = ["online", str(config), "--output", str(output), *FULL]
        trainer = self.trainers.start(*arguments, says=config.parent / "says", before=TELL)
        assert trainer.wait(300) == 0, trainer.said()
        ids = {name: np.unique(frame[name].to_numpy()) for name in ("user", "item")}
        users = Counter(frame["user"].to_list())
        began, ended = ((output / name).stat().st_mtime for name in (FINISHING, OWN))
        return Planted(config, users, ids, load_rows(output / OWN), ended - began)

    def new_folder(self) -> Path:
        """An empty folder with a short path, as sockets need."""
        self._scenes += 1
        path = self.folder / str(self._scenes)
        path.mkdir()
        return path


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A ground whose trainers end with it."""
    with Trainers() as trainers:
        yield Ground(folder, trainers)
