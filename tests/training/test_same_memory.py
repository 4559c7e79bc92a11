"""The hashed opponent gets no byte less than the collisionless table took."""

from pathlib import Path

import pytest

from recsys_embed import Hashed
from recsys_embed.nn import tables_of
from tests.training.making import config_of, planted_log
from training.same_memory import hashed_alike
from training.train import train


def test_a_plain_array_of_the_hashed_rows_takes_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted_log(tmp_path / "log.parquet", events=1000)
    features = {"user": {"threshold": 3, "ttl_days": 9}, "item": {"threshold": 2}}
    config = config_of(tmp_path / "log.parquet", features=features, train={"epochs": 1})
    result = train(config, tmp_path / "run")
    monkeypatch.setattr("training.same_memory.SMALL", 60)
    other = hashed_alike(config, tables_of(result.model))
    row_map = other.tables["user"].row_map
    assert isinstance(row_map, Hashed)
    taken, given = result.tables["user"].bytes, row_map.rows * 4 * (8 + 1)  # dim 8, one accumulator
    assert taken - 36 < given <= taken
    assert (other.features["user"].threshold, other.features["user"].ttl_days) == (1, None)
    # item has 50 rows, below the 60 of this test: it stays as it is
    assert other.tables["item"] == config.tables["item"]
    assert other.features["item"] == config.features["item"]
