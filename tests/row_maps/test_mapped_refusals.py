"""What a mapped table refuses, it refuses before anything has changed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recsys_embed import InputError, TableConfig, make_table
from recsys_embed.row_maps import Bloom, Hashed, Multiplexed
from recsys_embed.rules import FeatureRule
from tests.row_maps.making import DIM, FEATURES, ROW_MAPS
from tests.row_maps.test_mapped_table import EVERY_MAP, config_of
from tests.table.making import dump

IDS = np.array([3, 10, 5, 3], np.int64)


def trained(name: str) -> Any:
    table = make_table(config_of(name))
    table.train_lookup(IDS)
    return table


def single(name: str) -> bool:
    found = ROW_MAPS[name].map(IDS, FEATURES[0])
    return len(found.rows) == 1 and isinstance(found.per_id, int) and found.per_id == 1


@EVERY_MAP
def test_ids_of_several_rows_are_neither_assigned_nor_evicted(name: str) -> None:
    table = trained(name)
    before = dump(table)
    if single(name):
        table.assign(IDS, np.ones((len(IDS), DIM), np.float32))
        assert (table.lookup(IDS) == 1).all()
        table.evict(IDS)
        assert not table.contains(IDS).any()
        return
    width = table.config.vector_dim(FEATURES[0])
    with pytest.raises(InputError, match=r"several rows .* cannot be assigned"):
        table.assign(IDS, np.ones((len(IDS), width), np.float32))
    with pytest.raises(InputError, match=r"several rows .* cannot be evicted"):
        table.evict(IDS)
    assert dump(table) == before


OFFSETS = np.array([0, 1, 4], np.int64)
CALLS: dict[str, Callable[[Any], Any]] = {
    "an unknown policy": lambda t: t.lookup(IDS, missing="nothing"),
    "an unknown policy for no id": lambda t: t.lookup(IDS[:0], missing="nothing"),
    "no policy": lambda t: t.lookup(IDS, missing=None),
    "a vector of another width": lambda t: t.lookup(IDS, missing=np.zeros(99, np.float32)),
    "an unknown feature": lambda t: t.lookup(IDS, feature="shop"),
    "ids of another dtype": lambda t: t.lookup(IDS.astype(np.int32)),
    "an out of another shape": lambda t: t.lookup(IDS, out=np.zeros((4, 99), np.float32)),
    "training into an out of another shape": lambda t: t.train_lookup(
        IDS, out=np.zeros((4, 99), np.float32)
    ),
    "pooled training into an out of another shape": lambda t: t.train_lookup_pooled(
        IDS, OFFSETS, out=np.zeros((2, 99), np.float32)
    ),
    "training with error": lambda t: t.train_lookup(IDS, missing="error"),
    "pooled training with error": lambda t: t.train_lookup_pooled(IDS, OFFSETS, missing="error"),
    "training with a vector": lambda t: t.train_lookup(IDS, missing=np.zeros(DIM, np.float32)),
    "pooled training with a vector": lambda t: t.train_lookup_pooled(
        IDS, OFFSETS, missing=np.zeros(DIM, np.float32)
    ),
    "offsets beyond the ids": lambda t: t.lookup_pooled(IDS, np.array([0, 9])),
    "another mode": lambda t: t.lookup_pooled(IDS, OFFSETS, mode="max"),
    "training in another mode": lambda t: t.train_lookup_pooled(IDS, OFFSETS, mode="max"),
    "weights that are too few": lambda t: t.lookup_pooled(
        IDS, OFFSETS, weights=np.ones(3, np.float32)
    ),
    "feature offsets of bags": lambda t: t.train_lookup(
        IDS, feature=["user", "item"], feature_offsets=np.array([0, 1, 2, 3, 4])
    ),
    "feature offsets beyond the ids": lambda t: t.train_lookup(
        IDS, feature=["user", "item"], feature_offsets=np.array([0, 1, 9])
    ),
}


@EVERY_MAP
@pytest.mark.parametrize("what", CALLS)
def test_bad_arguments_are_refused_and_change_nothing(name: str, what: str) -> None:
    table = trained(name)
    before = dump(table), table.seq
    with pytest.raises(InputError):
        CALLS[what](table)
    assert (dump(table), table.seq) == before


@EVERY_MAP
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_gradients_that_are_not_finite_change_nothing(name: str, value: float) -> None:
    table = make_table(config_of(name))
    width = table.config.vector_dim(FEATURES[0])
    found, pooled = table.train_lookup(IDS), table.train_lookup_pooled(IDS, OFFSETS)
    before = dump(table), table.seq
    grads = np.zeros((4, width), np.float32)
    grads[1, -1] = value
    with pytest.raises(InputError, match="finite"):
        table.apply_gradients(found.rows, grads, lr=1.0)
    with pytest.raises(InputError, match="finite"):
        table.apply_pooled_gradients(pooled.rows, OFFSETS, grads[:2], lr=1.0)
    assert (dump(table), table.seq) == before


@EVERY_MAP
def test_gradients_of_another_shape_or_table_change_nothing(name: str) -> None:
    table, other = trained(name), trained(name)
    width = table.config.vector_dim(FEATURES[0])
    found = table.train_lookup(IDS)
    before = dump(table), table.seq
    with pytest.raises(InputError, match="grads must be"):
        table.apply_gradients(found.rows, np.zeros((4, width + 1), np.float32), lr=1.0)
    with pytest.raises(InputError, match="grads must be"):
        table.apply_pooled_gradients(found.rows, OFFSETS, np.zeros((4, width), np.float32), lr=1.0)
    with pytest.raises(InputError, match="another table"):
        table.apply_gradients(other.train_lookup(IDS).rows, np.zeros((4, width), np.float32), lr=1)
    assert (dump(table), table.seq) == before


@EVERY_MAP
def test_gradients_of_bags_need_the_features_of_their_lookup(name: str) -> None:
    table = make_table(config_of(name))
    widths = [table.config.vector_dim(feature) for feature in FEATURES]
    offsets, others = np.array([0, 1, 4]), np.array([0, 3, 4])  # a bag a feature
    found = table.train_lookup_pooled(IDS, offsets, features=FEATURES)
    before = dump(table), table.seq
    grads = np.ones((1, sum(widths)), np.float32)
    with pytest.raises(InputError, match=r"features .* \[1, 3\] ids, got \[3, 1\]"):
        table.apply_pooled_gradients(found.rows, others, grads, lr=1.0, num_features=2)
    with pytest.raises(InputError, match="of 2 features, got 1"):
        table.apply_pooled_gradients(found.rows, offsets, grads, lr=1.0)
    assert (dump(table), table.seq) == before


@pytest.mark.parametrize("name", ["quotient_remainder_product", "hash_embedding"])
def test_gradients_by_id_are_refused_where_they_depend_on_rows(name: str) -> None:
    table = trained(name)
    with pytest.raises(InputError, match="give the handle"):
        table.apply_gradients(IDS, np.ones((4, DIM), np.float32), lr=1.0)


def test_gradients_by_id_reach_every_row_that_is_summed() -> None:
    by_id, by_handle = make_table(config_of("double_hash")), make_table(config_of("double_hash"))
    grads = np.ones((4, DIM), np.float32)
    by_id.train_lookup(IDS)
    by_id.apply_gradients(IDS, grads, lr=0.5)
    by_handle.apply_gradients(by_handle.train_lookup(IDS).rows, grads, lr=0.5)
    assert dump(by_id) == dump(by_handle)


def test_features_of_several_widths_are_not_read_side_by_side() -> None:
    features = (FeatureRule("user"), FeatureRule("item"))
    pool = Multiplexed(rows=9, lookups_of={"item": 2})
    table = make_table(TableConfig.of("t", DIM, row_map=pool, features=features))
    before = dump(table), table.seq
    with pytest.raises(InputError, match=r"one width, got .*4.*8"):
        table.train_lookup(IDS, feature=["user", "item"], feature_offsets=np.array([0, 2, 4]))
    assert (dump(table), table.seq) == before


def test_collisionless_tables_and_shared_rows_are_not_confused() -> None:
    plain, mapped = make_table(TableConfig.of("t", DIM)), make_table(config_of("double_hash"))
    grads = np.ones((4, DIM), np.float32)
    with pytest.raises(InputError):
        mapped.apply_gradients(plain.train_lookup(IDS).rows, grads, lr=1.0)
    with pytest.raises(InputError):
        plain.apply_gradients(mapped.train_lookup(IDS).rows, grads, lr=1.0)


@pytest.mark.parametrize("row_map", [Hashed(rows=5), Bloom(rows=5)])
def test_no_id_is_no_work(row_map: Any) -> None:
    table = make_table(TableConfig.of("t", DIM, row_map=row_map))
    found = table.train_lookup(np.zeros(0, np.int64))
    table.apply_gradients(found.rows, np.zeros((0, DIM), np.float32), lr=1.0)
    assert (
        table.lookup_pooled(np.zeros(0, np.int64), np.zeros(3, np.int64)).tolist()
        == [[0] * DIM] * 2
    )
    assert len(table) == 0
