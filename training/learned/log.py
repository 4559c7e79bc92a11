"""What a recipe sees of a run: the events, which are for training, and the features of tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import ConfigError
from training.events import Events


@dataclass(frozen=True)
class TrainingLog:
    """The events of a run and the positions of its train part.

    Args:
        events: all of them.
        train: positions, int64.
        features_of: the features of each table.
    """

    events: Events
    train: NDArray[np.int64]
    features_of: Mapping[str, Sequence[str]]

    def occurrences(self, table: str) -> NDArray[np.int64]:
        """Gives every id that the table's features have in training, once for each occurrence."""
        found = [self.ids(feature)[1] for feature in self.features_of[table]]
        return np.concatenate(found)

    def ids(self, feature: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Gives the training ids of a feature (N,), behind the events (N,) that they belong to.

        Raises:
            ConfigError: for a feature that the run does not have.
        """
        bags = self.events.bags[self.checked(feature)]
        positions, lengths = bags.positions(self.train)
        return np.repeat(self.train, lengths), bags.values[positions]

    def checked(self, feature: str) -> str:
        """Gives the name back if the run has a feature of it.

        Raises:
            ConfigError: if not, naming the near ones.
        """
        if feature not in self.events.bags:
            hint = near(feature, list(self.events.bags))
            raise ConfigError(f"a row map asks for feature {feature!r}; {hint}")
        return feature
