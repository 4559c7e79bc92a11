"""Frequency hashing by the counts of the train part."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import DoubleFrequency, Frequency
from training.learned.log import TrainingLog


@dataclass(frozen=True)
class LearnedFrequency:
    """Gives the ids most frequent in training rows of their own; the others share the rest.

    Args:
        rows: of the table.
        share: of the rows that are the frequent ids'.
        seed: of the hashing.
    """

    kind: ClassVar[str] = "frequency"
    made: ClassVar[type[Frequency]] = Frequency
    rows: int
    share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or self.rows < 2:
            raise ConfigError(
                f"{self.kind} needs share in (0, 1) and rows >= 2, got {self.share}, {self.rows}"
            )

    def learn(self, log: TrainingLog, table: str) -> Frequency:
        """Counts; of ids as frequent, the lower comes first."""
        ids, counts = np.unique(log.occurrences(table), return_counts=True)
        by_count = ids[np.argsort(-counts, kind="stable")]
        return self.made.of(by_count, self.rows, share=self.share, seed=self.seed)


@dataclass(frozen=True)
class LearnedDoubleFrequency(LearnedFrequency):
    """Sums two hashed rows for the ids that are not frequent."""

    kind: ClassVar[str] = "double_frequency"
    made: ClassVar[type[Frequency]] = DoubleFrequency
