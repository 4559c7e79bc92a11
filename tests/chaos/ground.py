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

from tests.chaos.patches import OWN
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
    """

    config: Path
    users: Counter[int]
    ids: dict[str, NDArray[np.int64]]
    whole: Tables


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

    def plant(self, name: str, events: int, **values: Any) -> Planted:
        """Writes a log and runs it once from end to end."""
        folder = self.folder / name
        folder.mkdir()
        config = runs.write_config(folder, events=events, **values)
        return self.planted(config, pl.read_parquet(folder / "log.parquet"))

    def planted(self, config: Path, frame: pl.DataFrame) -> Planted:
        """Runs a config once from end to end."""
        output = config.parent / "whole"
        arguments = ["online", str(config), "--output", str(output), *FULL]
        trainer = self.trainers.start(*arguments, says=config.parent / "says", before=TELL)
        assert trainer.wait(300) == 0, trainer.said()
        ids = {name: np.unique(frame[name].to_numpy()) for name in ("user", "item")}
        users = Counter(frame["user"].to_list())
        return Planted(config, users, ids, load_rows(output / OWN))

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
