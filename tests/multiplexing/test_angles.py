"""The angles between a model's readers, and the command that shows them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_embed import InputError
from tests.training.making import config_of, planted_log
from training.cli import main
from training.config import RunConfig
from training.multiplexing.analysis import analyse
from training.multiplexing.angles import Block, angles, blocks_of
from training.recommender import Recommender
from training.train import read, row_maps_of, train


def test_angles_are_those_of_blocks_as_vectors() -> None:
    a = np.array([[1, 0], [0, 1]], np.float32)
    blocks = [Block("a", a), Block("b", a[::-1]), Block("c", -2 * a), Block("d", a[:, :1])]
    found = angles(blocks)
    np.testing.assert_allclose(found[0, :3], [0, 90, 0], atol=1e-4)
    assert np.isnan(found[0, 3])
    blocks.append(Block("e", np.array([[1, 1], [0, 0]], np.float32)))
    np.testing.assert_allclose(angles(blocks)[0, 4], 60, atol=1e-4)


POOL = {"kind": "multiplexed", "rows": 20, "tables": 2, "lookups": 2}


def pooled_config(path: Path) -> RunConfig:
    """A run whose two features share one pool, two chunks each."""
    return config_of(
        path,
        features={"user": {"table": "pool"}, "item": {"table": "pool"}},
        table={"row_map": POOL, "dim": 8},
        model={"kind": "dnn", "hidden": [8]},
    )


def test_a_run_shows_blocks_angles_and_collisions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted_log(tmp_path / "log.parquet", events=2000)
    train(pooled_config(tmp_path / "log.parquet"), tmp_path / "run")
    found = analyse(tmp_path / "run")
    assert [b.feature for b in found.blocks] == ["user", "user", "item", "item"]
    assert found.degrees is not None and found.degrees.shape == (4, 4)
    np.testing.assert_allclose(np.diag(found.degrees), 0, atol=0.1)
    assert main(["multiplexing", str(tmp_path / "run"), "--output", str(tmp_path / "out")]) == 0
    shown = json.loads((tmp_path / "out" / "collisions.json").read_text())["pool"]
    assert shown["features"]["user"]["ids"] == 100  # of the planted log
    assert shown["features"]["item"]["merged"] == found.of_table["pool"].of_feature["item"].merged
    assert (tmp_path / "out" / "multiplexing-pool.png").read_bytes().startswith(b"\x89PNG")
    assert "angles" in capsys.readouterr().out


def test_the_block_of_a_feature_is_what_reads_its_vector(tmp_path: Path) -> None:
    """With all other blocks at zero, changing one feature's vector alone changes the output."""
    planted_log(tmp_path / "log.parquet", events=500)
    config = pooled_config(tmp_path / "log.parquet")
    events, parts = read(config)
    model = Recommender(config, row_maps_of(config, events, parts))
    layer = next(m for m in model.net.modules() if isinstance(m, torch.nn.Linear))
    begin = sum(b.weights.shape[1] for b in blocks_of(model) if b.feature == "user")
    start = model.num_dense + (0 if model.features[0] == "item" else begin)
    with torch.no_grad():
        layer.weight[:, start : start + 8] = 0
    read_blocks = {b.feature: np.abs(b.weights).max() for b in blocks_of(model)}
    assert read_blocks["item"] == 0 < read_blocks["user"]


def test_a_model_without_such_a_layer_is_refused(tmp_path: Path) -> None:
    planted_log(tmp_path / "log.parquet", events=500)
    config = config_of(tmp_path / "log.parquet", model={"kind": "dlrm", "top": [8]})
    events, parts = read(config)
    with pytest.raises(InputError, match="reads all vectors side by side"):
        blocks_of(Recommender(config, row_maps_of(config, events, parts)))
