"""Where an online run is: everything that decides how it goes on, captured between two steps."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed.nn import tables_of
from recsys_embed.row_maps import RowMapConfig
from training.dense_state import Arrays, dense_arrays, load_dense
from training.features import Dense, Feature
from training.learned.from_file import RowMapFile
from training.online.config import OnlineConfig
from training.online.joining import Joiner
from training.online.queue import EventQueue
from training.online.window import Window
from training.recommender import Recommender

JOINER = "joiner."


def row_maps_of(config: OnlineConfig) -> dict[str, RowMapConfig]:
    """Gives each table its row map; those that were learned are read from their files."""
    sources = {name: config.tables[name].row_map for name in config.features_of}
    return {
        name: source.read() if isinstance(source, RowMapFile) else cast(RowMapConfig, source)
        for name, source in sources.items()
    }


@dataclass
class Position:
    """Counts what is done; plain values, kept with every entry and snapshot.

    Args:
        offset: where the source stands; None before its first record.
        records: read from the source.
        trained: events learned from.
        left_out: events that the sampling of negatives left out.
        unusable: events passed over, since a dense value is not finite.
        steps: batches in all.
        time_s: the greatest time of an event learned from.
    """

    offset: Any = None
    records: int = 0
    trained: int = 0
    left_out: int = 0
    unusable: int = 0
    steps: int = 0
    time_s: int | None = None


@dataclass(frozen=True)
class Captured:
    """A state's arrays and position at one moment, copied; tables are captured by their cuts."""

    arrays: Arrays
    position: dict[str, Any]


@dataclass
class OnlineState:
    """A model in training and all that waits around it; one thread uses it.

    Args:
        config: of the run.
        spill: a folder for what the joiner cannot hold in memory.
    """

    config: OnlineConfig
    spill: Path
    position: Position = field(default_factory=Position)

    def __post_init__(self) -> None:
        torch.manual_seed(self.config.seed)
        train = self.config.train
        self.model = Recommender(self.config, row_maps_of(self.config), train.missing)
        self.optimizer = torch.optim.Adam(
            self.model.net.parameters(), lr=train.lr, weight_decay=train.weight_decay
        )
        self.tables = tables_of(self.model)
        self.joiner = Joiner(self.config.join, self.spill)
        self.queue = EventQueue()
        self.window = Window(train.window)

    @property
    def features(self) -> dict[str, Feature]:
        """The features by name."""
        return dict(self.config.features)

    @property
    def dense(self) -> Dense:
        """The dense columns."""
        return self.config.dense

    def capture(self) -> Captured:
        """Copies everything but the tables."""
        arrays: Arrays = {
            name: np.array(array)
            for name, array in dense_arrays(self.model.net, self.optimizer).items()
        }
        arrays |= {"queue": self.queue.state(), "window": self.window.state()}
        arrays |= {JOINER + name: array for name, array in self.joiner.state().items()}
        return Captured(arrays, asdict(self.position))

    def restore(self, captured: Captured) -> None:
        """Takes up what `capture` gave; the tables are the caller's to restore."""
        arrays = captured.arrays
        load_dense(self.model.net, self.optimizer, arrays)
        self.queue.restore(arrays["queue"])
        self.window.restore(arrays["window"])
        names = [name for name in arrays if name.startswith(JOINER)]
        self.joiner.restore({name.removeprefix(JOINER): arrays[name] for name in names})
        self.position = Position(**captured.position)

    def take_tables(self, tables: dict[str, Any]) -> None:
        """Trains on these tables from now on."""
        self.model.collection.replace_tables(tables)
        self.tables = tables_of(self.model)

    def serving_dense(self) -> dict[str, NDArray[Any]]:
        """Copies the dense layers, as serving takes them."""
        return {f"net.{k}": np.array(v.numpy()) for k, v in self.model.net.state_dict().items()}
