"""Records: what a source gives, one message each, and the events that training makes of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from training.events import Events
from training.features import Dense, Feature, column_of

IMPRESSION = "impression"  # features of something shown
OUTCOME = "outcome"  # what came of it
EVENT = "event"  # both at once

Offset = Mapping[str, Any]  # plain JSON; only the source that gave it understands it

OF_RECORD = {"type": pl.String, "key": pl.String, "time": pl.Float64, "label": pl.Float32}


@dataclass(frozen=True)
class Chunk:
    """Records in the order of their source.

    Args:
        records: columns `type` (impression, outcome or event), `key` (what an impression and its
            outcome share), `time` (seconds since the epoch), `label` (null for an impression), then
            the configured columns (null for an outcome).
        offset: where the source stands behind these records.
    """

    records: pl.DataFrame
    offset: Offset

    def __len__(self) -> int:
        return len(self.records)


def events_of(events: pl.DataFrame, features: Mapping[str, Feature], dense: Dense) -> Events:
    """Makes of n events as a joiner gives them (`time`, `label`, columns) what a model is given.

    The order is kept, so that times ascend only where those of the frame do; they lose fractions.

    Raises:
        InputError: if a feature's column is not there or gives no ids.
    """
    return Events(
        {name: feature.bags(events, name) for name, feature in features.items()},
        dense.array(events, len(events)),
        events["label"].cast(pl.Float32).to_numpy(),
        np.floor(events["time"].to_numpy()).astype(np.int64),
        events,
    )


def usable(events: pl.DataFrame, dense: Dense) -> NDArray[np.bool_]:
    """Tells which events (n,) have dense values that a model can take: finite in 32 bits, or none.

    Raises:
        InputError: if a dense column is not there.

    Example:
        >>> usable(pl.DataFrame({"price": [1.0, None, float("inf"), 1e39]}), Dense(("price",)))
        array([ True,  True, False, False])
    """
    fine = np.ones(len(events), np.bool_)
    for name in dense.columns:
        column = column_of(events, name, "dense.columns").cast(pl.Float32, strict=False)
        fine &= np.isfinite(column.fill_null(0.0).to_numpy())
    return fine


def refuse_reserved(columns: Iterable[str], where: str) -> None:
    """Refuses columns that are named like the fields that every record has.

    Raises:
        ConfigError: naming them.
    """
    if taken := sorted(set(columns) & set(OF_RECORD)):
        raise ConfigError(
            f"{where} has columns {', '.join(taken)}, which every record has of its own; give them"
            " other names, in [events.derive] or where the records are made"
        )
