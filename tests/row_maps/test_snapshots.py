"""A mapped table's snapshot holds all there is to it, the map's own arrays included."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed import (
    ConfigError,
    InputError,
    Normal,
    RowwiseAdagrad,
    SnapshotCorruptError,
    TableConfig,
    initial_values,
    make_table,
)
from recsys_embed.mapped_table import MappedTable
from recsys_embed.row_maps import Hashed, Learned
from recsys_embed.rules import FeatureRule
from recsys_embed.snapshot import open_snapshot, write_snapshot
from tests.row_maps.making import DIM, EXTREMES, FEATURES, KNOWN, LEARNED, ROW_MAPS
from tests.table.making import counters, dump

EVERY_MAP = pytest.mark.parametrize("name", ROW_MAPS)
IDS = np.array([*KNOWN, *EXTREMES, *range(-20, 20)], np.int64)


def config_of(name: str) -> TableConfig:
    return TableConfig.of(
        "t",
        DIM,
        optimizer=RowwiseAdagrad(),
        initializer=Normal(std=0.5),
        row_map=ROW_MAPS[name],
        features=(FeatureRule(FEATURES[0], threshold=2, ttl_s=90), FeatureRule(FEATURES[1])),
    )


def train(table: Any, seed: int, steps: int = 3) -> None:
    """Takes steps of both features; equal seeds take equal steps."""
    rng = np.random.default_rng(seed)
    for step in range(steps):
        ids, offsets = rng.choice(IDS, 12), np.array([0, 2, 5, 9, 12])
        widths = [table.config.vector_dim(feature) for feature in FEATURES]
        found = table.train_lookup_pooled(
            ids, offsets, features=FEATURES, mode="mean", time=100 * seed + step
        )
        grads = rng.normal(size=(2, sum(widths))).astype(np.float32)
        table.apply_pooled_gradients(
            found.rows, offsets, grads, lr=0.1, mode="mean", num_features=2
        )


def all_of(table: Any) -> Any:
    return dump(table), counters(table), table.seq


@EVERY_MAP
def test_a_snapshot_answers_and_trains_on_as_the_table_it_was(name: str, tmp_path: Path) -> None:
    table = make_table(config_of(name))
    train(table, seed=1)
    write_snapshot(tmp_path, {"t": table}, shards=2)
    snapshot = open_snapshot(tmp_path).tables["t"]
    again = snapshot.restore()
    assert again.config == table.config and snapshot.config == table.config
    assert all_of(again) == all_of(table)
    for feature in FEATURES:
        for missing in ("initial", "zeros"):
            theirs = snapshot.lookup(IDS, feature=feature, missing=missing).values
            ours = [vectors_of(t, feature, missing) for t in (table, again)]
            np.testing.assert_array_equal(ours[0], theirs)
            np.testing.assert_array_equal(ours[1], theirs)
    for one in (table, again):
        train(one, seed=2)
    assert all_of(again) == all_of(table)


def vectors_of(table: Any, feature: str, missing: str) -> Any:
    """What the table itself reads for each id."""
    own = {"feature": feature} if isinstance(table, MappedTable) else {}
    return table.lookup(IDS, missing=missing, **own)


@EVERY_MAP
def test_a_snapshot_says_which_ids_have_all_their_rows(name: str, tmp_path: Path) -> None:
    features = tuple(FeatureRule(feature) for feature in FEATURES)
    table = make_table(replace(config_of(name), features=features))
    table.train_lookup(IDS[::3].copy())
    write_snapshot(tmp_path, {"t": table})
    found = open_snapshot(tmp_path).tables["t"].lookup(IDS).found
    np.testing.assert_array_equal(found, table.contains(IDS))
    assert found[::3].all()


@pytest.mark.parametrize("name", LEARNED)
def test_the_arrays_of_a_learned_map_travel_beside_the_rows(name: str, tmp_path: Path) -> None:
    table = make_table(config_of(name))
    path = write_snapshot(tmp_path, {"t": table})
    assert (path / "tables" / "t" / "row_map.safetensors").is_file()
    row_map = open_snapshot(tmp_path).tables["t"].config.row_map
    assert isinstance(row_map, Learned)
    assert set(row_map.arrays) == set(ROW_MAPS[name].arrays)
    for column, array in ROW_MAPS[name].arrays.items():
        np.testing.assert_array_equal(row_map.arrays[column], array, strict=True)


def test_a_table_that_maps_otherwise_takes_no_rows(tmp_path: Path) -> None:
    table = make_table(config_of("graphhash"))
    train(table, seed=1)
    write_snapshot(tmp_path, {"t": table})
    snapshot = open_snapshot(tmp_path).tables["t"]
    for row_map in (Hashed(rows=5), ROW_MAPS["double_graphhash"]):
        other = make_table(replace(table.config, row_map=row_map))
        with pytest.raises(ConfigError, match="row_map is"):
            snapshot.restore(into=other)
        assert len(other) == 0


def test_a_pool_may_serve_more_features_than_it_was_saved_with(tmp_path: Path) -> None:
    table = make_table(config_of("multiplexed"))
    train(table, seed=1)
    write_snapshot(tmp_path, {"t": table})
    wider = replace(table.config, features=(*table.config.features, FeatureRule("shop")))
    again = open_snapshot(tmp_path).tables["t"].restore(into=make_table(wider))
    assert dump(again) == dump(table)
    for feature in FEATURES:
        np.testing.assert_array_equal(
            vectors_of(again, feature, "zeros"), vectors_of(table, feature, "zeros")
        )


def test_a_map_without_its_arrays_is_refused_by_name(tmp_path: Path) -> None:
    config = config_of("graphhash")
    bare = replace(config, row_map=replace(ROW_MAPS["graphhash"]))
    for call in (lambda t: t.lookup(IDS), lambda t: t.train_lookup(IDS, time=1)):
        with pytest.raises(ConfigError, match="graphhash row map .* has no arrays"):
            call(make_table(bare))
    with pytest.raises((ConfigError, InputError), match="has no arrays"):
        write_snapshot(tmp_path, {"t": make_table(bare)})


def test_a_snapshot_whose_map_was_changed_is_refused(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, {"t": make_table(config_of("graphhash"))})
    file = path / "tables" / "t" / "row_map.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-4] ^= 1
    file.write_bytes(raw)
    with pytest.raises(SnapshotCorruptError, match="digest"):
        open_snapshot(tmp_path)


@EVERY_MAP
def test_initial_values_are_those_of_an_empty_table(name: str) -> None:
    config = config_of(name)
    np.testing.assert_array_equal(initial_values(config, IDS), make_table(config).lookup(IDS))


def test_a_map_without_arrays_hides_none_that_has_them() -> None:
    config = config_of("graphhash")
    bare = replace(config, row_map=replace(ROW_MAPS["graphhash"]))
    with pytest.raises(ConfigError, match="no arrays"):
        initial_values(bare, IDS)
    assert initial_values(config, IDS).shape == (len(IDS), DIM)
