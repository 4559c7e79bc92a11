"""Fewer negatives to train on, without telling the model that there are fewer."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.hashing import hash_strings, mix


@dataclass(frozen=True)
class NegativeSampling:
    """Keeps each event of label 0 with the chance `rate`, and every other event.

    Among what is kept the odds are 1 / rate times as high. A model trained on
    `logits + offset` has the log-odds of the whole stream in its `logits` (He et al. 2014,
    Practical Lessons from Predicting Clicks on Ads at Facebook, section 6.3).

    Args:
        rate: in (0, 1]; 1 keeps all.
        seed: of the draw.
    """

    rate: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1 or self.seed < 0:
            raise ConfigError(
                "sampling of negatives needs 0 < rate <= 1 and seed >= 0, got"
                f" {self.rate} and {self.seed}"
            )

    @property
    def offset(self) -> float:
        """What training adds to the logits, -ln(rate).

        Example:
            >>> NegativeSampling(rate=0.5).offset == math.log(2)
            True
        """
        return -math.log(self.rate) + 0.0  # no negative zero

    def kept(self, events: pl.DataFrame) -> NDArray[np.bool_]:
        """Tells which events (n,) are kept, by `label` and a hash of `key`: the same always."""
        kept: NDArray[np.bool_] = (events["label"] > 0).to_numpy().copy()
        if self.rate == 1.0:
            kept[:] = True
            return kept
        hashes = mix(hash_strings(events["key"].filter(~kept).to_list()), self.seed)
        kept[~kept] = hashes.view(np.uint64) < np.uint64(self.rate * 2.0**64)
        return kept

    def weights(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives each kept event (n,) the number of events it stands for.

        Example:
            >>> NegativeSampling(rate=0.25).weights(np.array([0, 1], np.float32)).tolist()
            [4.0, 1.0]
        """
        return np.where(labels > 0, 1.0, 1.0 / self.rate).astype(np.float32)
