"""The analysis of a config, or of the run that it became."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys_embed import nn
from recsys_embed.errors import InputError
from recsys_embed.row_maps import RowMapConfig
from recsys_embed.row_maps.collisions import Collisions, collisions
from recsys_embed.snapshot import open_snapshot
from training.config import RunConfig, from_values, load_config
from training.learned import TrainingLog
from training.multiplexing.angles import Block, angles, blocks_of
from training.recommender import Recommender
from training.train import read, row_maps_of


@dataclass(frozen=True)
class Analysis:
    """Collisions by table; and, of a run, the blocks of its first layer with their angles."""

    row_maps: dict[str, RowMapConfig]
    of_table: dict[str, Collisions]
    blocks: list[Block]
    degrees: NDArray[np.float64] | None


def analyse(path: Path) -> Analysis:
    """Analyses a config (a file) or a run (a folder that `recsys-train` wrote).

    Collisions are of the distinct ids of the train part.

    Raises:
        InputError: for a folder without a snapshot.
    """
    if path.is_dir():
        return _of_run(path)
    config = load_config(path)
    events, parts = read(config)
    log = TrainingLog(events, parts.train, config.features_of)
    row_maps = row_maps_of(config, events, parts)
    return Analysis(row_maps, _collisions(log, row_maps), [], None)


def _of_run(folder: Path) -> Analysis:
    snapshot = open_snapshot(folder / "snapshot")
    if "config" not in snapshot.extra:
        raise InputError(f"expected the snapshot of a run in {folder}, found one without a config")
    config: RunConfig = from_values(snapshot.extra["config"], str(folder))
    row_maps = {name: table.config.row_map for name, table in snapshot.tables.items()}
    model = Recommender(config, row_maps, config.train.missing)
    nn.load(snapshot.path, model, verify=False)
    events, parts = read(config)
    found = _collisions(TrainingLog(events, parts.train, config.features_of), row_maps)
    blocks = blocks_of(model)
    return Analysis(row_maps, found, blocks, angles(blocks))


def _collisions(log: TrainingLog, row_maps: dict[str, RowMapConfig]) -> dict[str, Collisions]:
    return {
        table: collisions(row_maps[table], {f: log.ids(f)[1] for f in features})
        for table, features in log.features_of.items()
    }
