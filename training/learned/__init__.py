"""Row maps learned from the training events: recipes in the config, maps once the data is read."""

from collections.abc import Mapping

from recsys_embed.row_maps import RowMapConfig
from training.learned.frequency import LearnedDoubleFrequency, LearnedFrequency
from training.learned.from_file import GivenRowMap, RowMapFile
from training.learned.graphhash import LearnedDoubleGraphHash, LearnedGraphHash
from training.learned.log import TrainingLog
from training.learned.semantic_id import LearnedSemanticId

Recipe = (
    RowMapFile
    | LearnedFrequency
    | LearnedDoubleFrequency
    | LearnedGraphHash
    | LearnedDoubleGraphHash
    | LearnedSemanticId
)
RowMapSource = GivenRowMap | Recipe


def learned(sources: Mapping[str, RowMapSource], log: TrainingLog) -> dict[str, RowMapConfig]:
    """Gives each table its row map: as it is, or learned from the training events alone.

    Args:
        sources: by table.
        log: the events, and which of them are for training.
    """
    return {
        table: source.learn(log, table) if isinstance(source, Recipe) else source
        for table, source in sources.items()
    }


__all__ = ["Recipe", "RowMapSource", "TrainingLog", "learned"]
