"""Budgets of row maps: every number counted comes to what was asked for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.config import from_dict
from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import (
    Bloom,
    DoubleFrequency,
    Frequency,
    GraphHash,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
    RowMapConfig,
)
from recsys_embed.row_maps.budget import floats
from training.reproduce.equal_floats import (
    EXACT_ROWS,
    LARGE,
    MAPS,
    SIZES,
    Budget,
    changes,
    fits,
)

KINDS: dict[str, Any] = {
    cls.kind: cls
    for cls in (Bloom, Hashed, HashEmbedding, MultiChunk, Multiplexed, QuotientRemainder)
}
SHARES = st.floats(0.06, 1.0)


def built(feature: str, recipe: dict[str, Any], dim: int) -> RowMapConfig:
    """The map of a recipe, taught by as many ids as the feature has."""
    ids = np.arange(SIZES.get(feature, 0))
    match recipe["kind"]:
        case "frequency":
            return Frequency.of(ids, recipe["rows"])
        case "double_frequency":
            return DoubleFrequency.of(ids, recipe["rows"])
        case "graphhash" | "double_graphhash":
            return GraphHash.of(ids, ids % recipe["rows"])
        case "hash_embedding":
            return HashEmbedding(**{k: v for k, v in recipe.items() if k != "kind"}, dim=dim)
    row_map: RowMapConfig = from_dict(KINDS[recipe["kind"]], recipe)
    return row_map


def cost(name: str, budget: Budget) -> int:
    total = EXACT_ROWS * budget.dim
    for feature, table in changes(name, budget)["tables"].items():
        row_map = built(feature, table["row_map"], budget.dim)
        total += floats(row_map, budget.dim // row_map.chunks("")).total
    return total


def test_the_data_set_has_as_many_values_as_published() -> None:
    assert sum(SIZES.values()) == 5382 and LARGE == ("user", "item", "country", "city")
    assert EXACT_ROWS == 7 + 7 + 2 + 3 + 2 + 9


@given(st.sampled_from([m for m in MAPS if "graphhash" not in m and m != "semantic-id"]), SHARES)
def test_a_map_costs_what_it_may(name: str, share: float) -> None:
    budget = Budget(share, 10)
    allowed = share * 5382 * 10
    if fits(name, budget):
        assert allowed - 10 * 5 * len(LARGE) <= cost(name, budget) <= allowed + 10 * len(LARGE)


def test_clusters_are_paid_for_in_rows_until_they_alone_cost_too_much() -> None:
    assert cost("graphhash", Budget(0.5, 10)) == pytest.approx(0.5 * 53_820, abs=40)
    dear = Budget(0.1, 10)
    assert cost("graphhash", dear) == cost("hashed", dear) + 3 * (957 + 4082)


@given(SHARES)
def test_quotients_and_remainders_are_left_out_where_they_cannot_be(share: float) -> None:
    budget = Budget(share, 10)
    if fits("quotient-remainder", budget):
        assert cost("quotient-remainder", budget)
    else:
        with pytest.raises(ConfigError, match="needs at least"):
            cost("quotient-remainder", Budget(0.02, 10))


@pytest.mark.parametrize("name", MAPS)
def test_small_features_keep_their_rows(name: str) -> None:
    changed = changes(name, Budget(0.1, 10))
    assert set(changed["tables"]) <= {*LARGE, "pool"}
    assert set(changed.get("features", LARGE)) == set(LARGE)
