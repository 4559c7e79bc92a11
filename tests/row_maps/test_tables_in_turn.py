"""Tables called in turn do what a group does, and nothing by halves."""

from typing import Any

import numpy as np
import pytest

from recsys_embed import ConfigError, InputError, RowwiseAdagrad, TableConfig, make_table
from recsys_embed.rules import FeatureRule
from recsys_embed.table_group import Member, TableGroup
from recsys_embed.tables_in_turn import TablesInTurn, make_group
from tests.row_maps.making import DIM, FEATURES, ROW_MAPS
from tests.table.making import dump

IDS = np.array([3, 10, 5, 3, -1, 7, 7], np.int64)
OFFSETS = np.array([0, 1, 3, 4, 4, 5, 7], np.int64)  # bags of user, of item, of shop; two each
STARTS = np.array([0, 4], np.int64)
BAGS: Any = (IDS, OFFSETS, STARTS)


def members(first: str, second: str = "collisionless") -> list[Member]:
    """A table of two features, and one of a third."""
    features = tuple(FeatureRule(feature) for feature in FEATURES)
    goods = TableConfig.of("goods", DIM, row_map=ROW_MAPS[first], features=features)
    shops = TableConfig.of("shops", 3, optimizer=RowwiseAdagrad(), row_map=ROW_MAPS[second])
    return [Member(make_table(goods), (0, 1), "mean"), Member(make_table(shops), (0,), "sum")]


def state(group: Any) -> Any:
    return [(dump(member.table), member.table.seq) for member in group.members]


def test_collisionless_tables_train_as_in_a_group(rng: np.random.Generator) -> None:
    group = make_group(members("collisionless"))
    turns = TablesInTurn(members("collisionless"))
    assert isinstance(group, TableGroup)
    weights = rng.normal(size=len(IDS)).astype(np.float32)
    for _ in range(2):
        found = [g.train_lookup_pooled(*BAGS, num_bags=2, weights=weights) for g in (group, turns)]
        np.testing.assert_array_equal(found[0].values, found[1].values)
        grads = rng.normal(size=found[0].values.shape).astype(np.float32)
        group.apply_pooled_gradients(found[0].rows, grads, lr=(0.1, 0.2))
        turns.apply_pooled_gradients(found[1].rows, grads, lr=(0.1, 0.2))
        assert state(group) == state(turns)
    np.testing.assert_array_equal(
        group.lookup_pooled(*BAGS, num_bags=2), turns.lookup_pooled(*BAGS, num_bags=2)
    )


REFUSED: dict[str, Any] = {
    "another out": {"out": np.zeros((2, 99), np.float32)},
    "a policy of reading": {"missing": "error"},
    "a vector": {"missing": np.zeros(DIM, np.float32)},
    "too few weights": {"weights": np.ones(3, np.float32)},
    "an unknown policy": {"missing": "nothing"},
    "no bags": {"num_bags": -1},
}
WRONG: dict[str, Any] = {
    "ids of another dtype": (IDS.astype(np.int32), OFFSETS, STARTS),
    "offsets of another dtype": (IDS, OFFSETS.astype(np.int32), STARTS),
    "starts beyond the bags": (IDS, OFFSETS, np.array([0, 5])),
    "too few starts": (IDS, OFFSETS, np.array([0])),
    "offsets that decrease": (IDS, np.array([0, 1, 3, 2, 4, 5, 7]), STARTS),
    "offsets beyond the ids": (IDS, np.array([0, 1, 3, 4, 4, 5, 9]), STARTS),
    "offsets below 0": (IDS, np.array([-1, 1, 3, 4, 4, 5, 7]), STARTS),
}


def trained(first: str = "hashed", second: str = "bloom") -> TablesInTurn:
    turns = make_group(members(first, second))
    assert isinstance(turns, TablesInTurn)
    turns.train_lookup_pooled(*BAGS, num_bags=2)
    return turns


@pytest.mark.parametrize("tables", [("hashed", "bloom"), ("collisionless", "hashed")])
@pytest.mark.parametrize("what", REFUSED)
def test_options_that_one_table_refuses_change_none(tables: Any, what: str) -> None:
    turns = trained(*tables)
    before = state(turns)
    with pytest.raises(InputError):
        turns.train_lookup_pooled(*BAGS, **({"num_bags": 2} | REFUSED[what]))
    assert state(turns) == before


@pytest.mark.parametrize("what", WRONG)
def test_bags_that_do_not_fit_change_no_table(what: str) -> None:
    turns = trained()
    before = state(turns)
    with pytest.raises(InputError):
        turns.train_lookup_pooled(*WRONG[what], num_bags=2)
    with pytest.raises(InputError):
        turns.lookup_pooled(*WRONG[what], num_bags=2)
    assert state(turns) == before


@pytest.mark.parametrize("lr", [-1.0, (0.1,), (0.1, 0.2, 0.3), (0.1, float("nan")), (0.1, (1, 2))])
def test_rates_that_do_not_fit_change_no_table(lr: Any) -> None:
    turns = trained()
    found = turns.train_lookup_pooled(*BAGS, num_bags=2)
    before = state(turns)
    with pytest.raises(InputError):
        turns.apply_pooled_gradients(found.rows, np.ones_like(found.values), lr=lr)
    assert state(turns) == before


def test_gradients_that_are_not_finite_change_no_table() -> None:
    turns = trained()
    found = turns.train_lookup_pooled(*BAGS, num_bags=2)
    before = state(turns)
    for place in ((0, 0), (1, -1)):
        grads = np.zeros_like(found.values)
        grads[place] = np.nan
        with pytest.raises(InputError, match="finite"):
            turns.apply_pooled_gradients(found.rows, grads, lr=1.0)
    with pytest.raises(InputError, match="another group"):
        trained().apply_pooled_gradients(found.rows, np.zeros_like(found.values), lr=1.0)
    assert state(turns) == before


def test_a_group_names_its_tables_and_modes() -> None:
    twice = members("hashed")[:1] * 2
    with pytest.raises(ConfigError, match="distinct names"):
        make_group(twice)
    table = twice[0].table
    with pytest.raises(ConfigError, match="sum or mean"):
        make_group([Member(table, (0,), "max")])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="distinct names"):
        make_group([])


def test_time_that_one_table_lacks_changes_none() -> None:
    features = (FeatureRule("f", ttl_s=9),)
    timed = TableConfig.of("timed", 2, row_map=ROW_MAPS["hashed"], features=features)
    turns = TablesInTurn([*members("bloom"), Member(make_table(timed), (0,), "sum")])
    before = state(turns)
    with pytest.raises(InputError, match="time"):
        turns.train_lookup_pooled(IDS, OFFSETS, np.array([0, 4, 4]), num_bags=2)
    assert state(turns) == before
