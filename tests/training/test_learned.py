"""Row maps learned from the train part: what they learn is known by construction."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_embed import ConfigError
from recsys_embed.row_maps import DoubleFrequency, DoubleGraphHash, Frequency, GraphHash, SemanticId
from recsys_embed.row_maps.files import write_row_map
from recsys_embed.snapshot import open_snapshot
from tests.training.making import config_of
from training.config import RunConfig
from training.train import read, row_maps_of, train

FREQUENCY = [("frequency", Frequency), ("double_frequency", DoubleFrequency)]
GRAPHHASH = [("graphhash", GraphHash), ("double_graphhash", DoubleGraphHash)]
ADDED = [("deepfm", "vectors"), ("wide_deep", "first-order weights")]
WORDS = ("red paint", "red brush", "iron nail", "iron screw", "salt", "pepper")


def log(path: Path) -> None:
    """200 events: users 0-9 take items 0-2, users 10-19 items 3-5; item k in proportion to k + 1.

    Item 99 comes in the last events alone, which are the test part.
    """
    rng = np.random.default_rng(0)
    user = rng.integers(0, 20, 200)
    share = np.array([1, 2, 3]) / 6
    item = np.where(user < 10, rng.choice(3, 200, p=share), 3 + rng.choice(3, 200, p=share))
    item[-3:] = 99
    pl.DataFrame(
        {
            "user": user,
            "item": item,
            "text": [WORDS[i] if i < 6 else "red nail" for i in item],
            "time": np.arange(200),
            "label": rng.integers(0, 2, 200) | (np.arange(200) < 100),
        }
    ).write_parquet(path)


def run_config(
    path: Path, row_map: dict[str, Any], table: str = "item", model: str = "dnn"
) -> RunConfig:
    return config_of(
        path,
        features={"user": {}, "item": {}},
        dense={"columns": []},
        model={"kind": model, "hidden": [8]},
        tables={table: {"row_map": row_map}},
        train={"epochs": 1, "batch_size": 32},
    )


def learned_map(path: Path, row_map: dict[str, Any], table: str = "item") -> Any:
    config = run_config(path, row_map, table)
    return row_maps_of(config, *read(config))[table]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    log(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


@pytest.mark.parametrize("kind, made", FREQUENCY)
def test_the_most_frequent_ids_of_training_get_rows(events: Path, kind: str, made: type) -> None:
    row_map = learned_map(events, {"kind": kind, "rows": 4})
    assert type(row_map) is made
    assert set(row_map.array("ids").tolist()) == {2, 5}  # a share of one half of 4 rows


@pytest.mark.parametrize("kind, made", GRAPHHASH)
@pytest.mark.parametrize("bound", [{"rows": 2}, {"resolution": 1.0}])
def test_items_of_the_same_users_share_a_row(
    events: Path, kind: str, made: type, bound: dict[str, Any]
) -> None:
    row_map = learned_map(events, {"kind": kind, "by": "user", **bound})
    assert type(row_map) is made and row_map.num_rows == 2
    rows = row_map.cluster_rows(np.arange(6)).tolist()
    assert rows[:3] == [rows[0]] * 3 and rows[3:] == [1 - rows[0]] * 3


def test_later_items_have_a_semantic_id_from_their_text(events: Path) -> None:
    source = {"kind": "semantic_id", "text": "text", "rows": 64, "levels": 2, "codes": 3, "dim": 3}
    row_map = learned_map(events, source)
    assert isinstance(row_map, SemanticId)
    assert row_map.array("ids").tolist() == [0, 1, 2, 3, 4, 5, 99]
    assert row_map.tokens == "prefix"


@pytest.mark.parametrize(
    "row_map",
    [
        {"kind": "bloom", "rows": 3},
        {"kind": "quotient_remainder", "rows": 6, "cardinality": 6},
        {"kind": "hash_embedding", "rows": 3, "importance": 10},
        {"kind": "multi_chunk", "rows": 6, "lookups": 4},
        {"kind": "double_frequency", "rows": 4},
        {"kind": "double_graphhash", "by": "user", "rows": 2},
        {"kind": "semantic_id", "text": "text", "rows": 64, "levels": 2, "codes": 3, "dim": 3},
    ],
    ids=lambda m: m["kind"],
)
@pytest.mark.parametrize("model", ["dnn", "wide_deep"])
def test_a_run_with_it_is_served_from_its_snapshot_alone(
    events: Path, tmp_path: Path, row_map: dict[str, Any], model: str
) -> None:
    config = run_config(events, row_map, model=model)
    result = train(config, tmp_path / "run")
    table = result.model.collection.tables["item"]
    ids = np.array([0, 5, 99, -7])
    served = open_snapshot(result.snapshot).tables["item"].lookup(ids, feature="item")
    np.testing.assert_array_equal(served.values, table.lookup(ids))
    assert served.values.shape == (4, table.config.vector_dim("item"))


def test_a_map_from_a_file_is_that_map(events: Path, tmp_path: Path) -> None:
    made = GraphHash.of(ids=[0, 1, 2], clusters=[0, 1, 0])
    write_row_map(tmp_path / "items.rowmap", made)
    path = str(tmp_path / "items.rowmap")
    assert learned_map(events, {"kind": "file", "path": path}) == made


def test_a_column_or_feature_that_is_not_there_is_named(events: Path) -> None:
    with pytest.raises(ConfigError, match="asks for feature 'users'; did you mean 'user'"):
        learned_map(events, {"kind": "graphhash", "by": "users", "rows": 2})


@pytest.mark.parametrize("model, added", ADDED)
def test_features_that_a_model_adds_up_may_not_share_rows(
    events: Path, model: str, added: str
) -> None:
    both = {"user": {"table": "pool"}, "item": {"table": "pool"}}
    pool: dict[str, Any] = {
        "table": {"row_map": {"kind": "multiplexed", "rows": 10}},
        "dense": {"columns": []},
    }
    with pytest.raises(ConfigError, match=f"adds up their .*{added}"):
        config_of(events, model={"kind": model}, features=both, **pool)
    # a pool for each is fine, and so is a model that puts vectors side by side
    config_of(events, model={"kind": model}, **pool)
    config_of(events, model={"kind": "dcn"}, features=both, **pool)


def test_chunks_that_do_not_divide_a_vector_are_refused(events: Path, tmp_path: Path) -> None:
    config = run_config(events, {"kind": "multi_chunk", "rows": 9, "lookups": 3})
    with pytest.raises(ConfigError, match="dim must be a multiple of 3, got 8"):
        train(config, tmp_path / "run")
