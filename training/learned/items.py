"""The items of a log, and what is written about them."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from training.features import column_of
from training.learned.log import TrainingLog


class Described(NamedTuple):
    """K items.

    Args:
        ids: int64 (K,), ascending.
        texts: K of them.
        shown: int64 (K,), events of the train part with the item.
    """

    ids: NDArray[np.int64]
    texts: list[str]
    shown: NDArray[np.int64]

    @property
    def taught(self) -> list[str]:
        """The texts of the items that the train part has."""
        return [text for text, shown in zip(self.texts, self.shown, strict=True) if shown]


def described(log: TrainingLog, feature: str, text: str) -> Described:
    """Gives each id that a feature has in the log, with the text of its first event.

    Args:
        log: of a run.
        feature: of one id an event at most.
        text: a column of the events.

    Raises:
        ConfigError: for a feature that the run does not have.
        InputError: for a feature of several ids an event, or a column that is not there.
    """
    bags = log.events.bags[log.checked(feature)]
    if bags.lengths.max(initial=0) > 1:
        raise InputError(
            f"features.{feature} has several ids an event, so that column {text!r} cannot"
            " say which of them it is about; put a feature of one id first in the table"
        )
    having = np.flatnonzero(bags.lengths)
    ids, first = np.unique(bags.values[bags.starts[having]], return_index=True)
    column = column_of(log.events.frame, text, "text").cast(pl.String).fill_null("")
    in_training = np.searchsorted(ids, log.ids(feature)[1])
    texts = column[having[first]].to_list()
    return Described(ids, texts, np.bincount(in_training, minlength=len(ids)))
