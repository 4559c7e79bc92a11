"""What is written about items as dense columns: the baseline that semantic IDs compete with."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.semantic_ids.content import TextVectors
from recsys_embed.semantic_ids.nearest import Floats
from training.bags import Bags
from training.features import Feature
from training.learned.items import Described, described
from training.learned.log import TrainingLog


@dataclass(frozen=True)
class Contents:
    """Gives each event the mean content vector of the items in each of its bags, as dense columns.

    Words are learned from the items of the train part. Vectors have length sqrt(dim), so that a
    column is about 1; an empty bag is the vector 0.

    Args:
        text: a column of the events, string, about the item of the first bag.
        bags: columns or histories of items, the first with one item an event.
        dim: of the vectors; each bag gives so many columns.
    """

    text: str
    bags: tuple[str, ...] = ("item",)
    dim: int = 64

    def __post_init__(self) -> None:
        if not self.bags or self.dim < 1:
            raise ConfigError(
                f"contents need a bag of items and dim >= 1, got {self.bags} and {self.dim}"
            )

    @property
    def width(self) -> int:
        """How many dense columns there are."""
        return self.dim * len(self.bags)

    def features(self, known: Mapping[str, Feature]) -> dict[str, Feature]:
        """Gives the bags as features: those of the run, or the columns of that name."""
        return {name: known.get(name, Feature()) for name in self.bags}

    def columns(self, log: TrainingLog) -> NDArray[np.float32]:
        """Gives the columns of all events of a run, float32 (n, width).

        Raises:
            ConfigError: for a bag that the run does not have.
            InputError: for a column that is not there, or items with too few words.
        """
        items = described(log, self.bags[0], self.text)
        vectors = TextVectors.fit(items.taught, self.dim)(items.texts) * np.sqrt(self.dim)
        bags = [log.events.bags[log.checked(name)] for name in self.bags]
        return np.concatenate([means(items, vectors, each) for each in bags], axis=1)


def means(items: Described, vectors: Floats, bags: Bags) -> NDArray[np.float32]:
    """Gives the mean vectors (n, D) of n bags; items without a vector are left out."""
    known = np.isin(bags.values, items.ids)
    at = np.searchsorted(items.ids, bags.values[known])
    before = np.concatenate([[0], np.cumsum(known)])
    begins, ends = before[bags.starts], before[bags.starts + bags.lengths]
    counts = np.maximum(ends - begins, 1)
    found = np.empty((len(bags), vectors.shape[1]), np.float32)
    for column, values in zip(found.T, vectors.T, strict=True):
        sums = np.concatenate([[0.0], np.cumsum(values[at], dtype=np.float64)])
        column[:] = (sums[ends] - sums[begins]) / counts
    return found
