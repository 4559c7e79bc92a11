"""A row map that was learned before and lies in a file."""

from dataclasses import dataclass
from typing import ClassVar

from recsys_embed.row_maps import (
    Bloom,
    Collisionless,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
    RowMapConfig,
)
from recsys_embed.row_maps.files import read_row_map
from training.learned.log import TrainingLog
from training.readers.paths import resolve


@dataclass(frozen=True)
class RowMapFile:
    """Takes the map that `recsys-train graphhash` or `recsys-train semantic-ids` wrote.

    Args:
        path: of the file; $RECSYS_DATA and the like are filled in.
    """

    kind: ClassVar[str] = "file"
    path: str

    def read(self) -> RowMapConfig:
        """Reads the map."""
        return read_row_map(resolve(self.path))

    def learn(self, log: TrainingLog, table: str) -> RowMapConfig:
        """Reads the map, which was learned before."""
        return self.read()


GivenRowMap = (
    Collisionless
    | Hashed
    | Bloom
    | QuotientRemainder
    | HashEmbedding
    | MultiChunk
    | Multiplexed
    | RowMapFile
)
