"""Logs in time order, as reproductions that learn on configure them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from training.config import RunConfig, from_values
from training.events import Events
from training.reproduce.ctr import merged, nested, read_once
from training.splits import Parts


def stream_config(
    streams: Mapping[str, Mapping[str, Any]], stream: str, seed: int, seeded: Sequence[str] = ()
) -> RunConfig:
    """Gives the config of a stream.

    Args:
        streams: values of a `RunConfig` by name.
        stream: one of the names.
        seed: of the run.
        seeded: dotted keys that get it as well, in streams that have their section.

    Raises:
        ConfigError: for values that a `RunConfig` refuses.
    """
    values = merged(streams[stream], {"name": stream, "seed": seed})
    for path in seeded:
        if path.split(".")[1] in values.get(path.split(".")[0], {}):
            values = merged(values, nested(path, seed))
    return from_values(values, stream)


def stream_data(config: RunConfig, events: int = 0) -> tuple[Events, Parts]:
    """Reads a stream once and divides it; of each part the first events alone, if `events`."""
    what = (config.data, config.events, config.features, config.split)
    whole, parts = read_once(repr(what), config)
    if events:
        parts = Parts(*(part[: events // len(parts)] for part in parts))
    return whole, parts


def one_id(events: Events, feature: str, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives the id that a feature has in each of these events.

    Raises:
        InputError: if one of them has none or several.
    """
    bags = events.bags[feature]
    if not np.all(bags.lengths[order] == 1):
        raise InputError(f"expected one id of feature {feature!r} in each event")
    return bags.values[bags.starts[order]]
