"""The data of a run: baskets in three stretches of time, and what both towers are fed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.retrieval.description import Input, Tower
from training.retrieval.interactions import Pairs
from training.retrieval.towers.baskets import Baskets, Catalogue, features_of, read_baskets
from training.retrieval.towers.config import RetrievalConfig, TowerFrom
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.inputs import Inputs, NumberFrom
from training.splits import Parts

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shop:
    """What a run is trained and judged on.

    Args:
        catalogue: all items, in the order of their first sale.
        baskets: all baskets, in the order of time.
        parts: numbers of the baskets of each part.
        user: what the user tower is given.
        item: what the item tower is given.
        users: the baskets, as the user tower is fed them.
        items: the catalogue, as the item tower is fed it.
    """

    catalogue: Catalogue
    baskets: Baskets
    parts: Parts
    user: Tower
    item: Tower
    users: Examples
    items: Examples

    @property
    def known_items(self) -> int:
        """How many items were sold in the train part; they are the first of the catalogue."""
        return self.items_before(len(self.parts.train))

    def items_before(self, basket: int) -> int:
        """Counts the items that were sold before a basket."""
        times = self.baskets.times
        if basket >= len(times):
            return len(self.catalogue.names)
        return int(np.searchsorted(self.catalogue.first, times[basket]))

    def time_of(self, basket: int) -> int | None:
        """Gives the moment of a basket; None behind the last."""
        times = self.baskets.times
        return int(times[basket]) if basket < len(times) else None

    def relevant(self, part: Ints) -> Pairs:
        """Gives what the baskets of a part hold, baskets numbered from 0 within it."""
        baskets, items = self.baskets.pairs(part)
        return Pairs(np.searchsorted(part, baskets), items)


def open_shop(config: RetrievalConfig) -> Shop:
    """Reads the data of a config, and feeds both towers with it.

    Raises:
        InputError: for data that is not as described, or with nothing to train on.
    """
    catalogue, baskets = read_baskets(config.data.read(), config.baskets, config.attributes)
    parts = config.split.parts_of(baskets.times)
    if not len(parts.train) or not len(parts.validation):
        raise InputError(
            f"the train part of {len(baskets.times):,} baskets has {len(parts.train):,} and the"
            f" validation part {len(parts.validation):,}; both need some, look at [split]"
        )
    known = int(np.searchsorted(catalogue.first, baskets.times[parts.validation[0]]))
    user = _tower(config, config.user, baskets.lines[: len(parts.train)])
    item = _tower(config, config.item, catalogue.lines[:known])
    return Shop(
        catalogue,
        baskets,
        parts,
        user,
        item,
        _examples(user, config.user.inputs, baskets.lines),
        _examples(item, config.item.inputs, catalogue.lines),
    )


def _tower(config: RetrievalConfig, of: TowerFrom, lines: pl.DataFrame) -> Tower:
    inputs: list[Input] = []
    for feature, one in of.inputs.items():
        if isinstance(one, NumberFrom):
            inputs.append(one.described(feature, _numbers(lines, feature, one)))
        else:
            inputs.append(one.described(feature, config.train.missing))
    return Tower(tuple(inputs), config.dim, of.interests)


def _numbers(lines: pl.DataFrame, feature: str, one: NumberFrom) -> NDArray[np.float64]:
    rows = features_of(lines, {feature: one.column or feature})
    return np.array([row[feature] for row in rows if row[feature] is not None], np.float64)


def _examples(tower: Tower, inputs: Inputs, lines: pl.DataFrame) -> Examples:
    rows: Sequence[dict[str, Any]] = features_of(
        lines, {feature: one.column or feature for feature, one in inputs.items()}
    )
    return Examples.of(tower, rows)
