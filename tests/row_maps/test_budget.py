"""Counted floats are allocated floats."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recsys_embed import ConfigError, TableConfig, make_table
from recsys_embed.row_maps import Collisionless, Multiplexed
from recsys_embed.row_maps.budget import Floats, floats
from recsys_embed.rules import FeatureRule
from tests.row_maps.making import DIM, FEATURES, KNOWN, LEVELS, ROW_MAPS

MANY = np.concatenate([KNOWN, np.arange(-2000, 2000)])
BOUNDED = [name for name, row_map in ROW_MAPS.items() if row_map.num_rows is not None]


def config_of(name: str) -> TableConfig:
    features = tuple(FeatureRule(feature) for feature in FEATURES)
    return TableConfig.of("t", DIM, row_map=ROW_MAPS[name], features=features)


def weights_of(table: Any) -> Iterator[Any]:
    for block in table.rows():
        yield block.weights


@pytest.mark.parametrize("name", BOUNDED)
def test_a_table_that_met_every_row_holds_what_is_counted(name: str) -> None:
    table = make_table(config_of(name))
    for feature in FEATURES:
        table.train_lookup(MANY, feature=feature)
    counted = floats(table.config.row_map, DIM)
    assert sum(weights.size for weights in weights_of(table)) == counted.rows
    assert counted.rows == table.config.row_map.num_rows * DIM


@pytest.mark.parametrize("name", ROW_MAPS)
def test_a_table_holds_the_distinct_rows_of_its_map_and_no_more(name: str) -> None:
    config = config_of(name)
    table, ids = make_table(config), np.array([3, 4, 3, -9], np.int64)
    met: set[int] = set()
    for feature in FEATURES:
        table.train_lookup(ids, **({"feature": feature}))
        met |= set(config.row_map.map(ids, feature).rows.flat)
    assert len(table) == len(met)
    assert {i for block in table.ids() for i in block.tolist()} == met


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("hashed", Floats(11 * DIM, 0)),
        ("hash_embedding", Floats((7 + 5) * DIM, 0)),  # two sets of 2 weights in a row of 4
        ("hash_embedding_3", Floats((7 + 5) * DIM, 0)),  # one set of 3 weights in a row of 4
        ("multiplexed", Floats(12 * DIM, 0)),
        ("frequency", Floats(11 * DIM, 5 * 2 + 5)),
        ("graphhash", Floats(5 * DIM, len(KNOWN) * 3)),
        # ids and codes of the items, the codebooks
        ("semantic_id_prefix", Floats(29 * DIM, len(KNOWN) * (2 + LEVELS) + LEVELS * 4)),
    ],
)
def test_every_float_is_counted(name: str, counted: Floats) -> None:
    assert floats(ROW_MAPS[name], DIM) == counted
    assert counted.total == counted.rows + counted.remap


@pytest.mark.parametrize("row_map", [Collisionless(), Multiplexed(lookups=2)])
def test_a_map_without_bound_counts_the_rows_held(row_map: Any) -> None:
    assert floats(row_map, DIM, held=100) == (100 * DIM, 0)
    with pytest.raises(ConfigError, match="no bound"):
        floats(row_map, DIM)
