"""The demo's story, told about a small planted log."""

from pathlib import Path

import numpy as np
import pytest

from recsys_embed import Hashed
from tests.training.making import config_of, planted_log
from training import demo


def test_the_story_is_told_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted_log(tmp_path / "log.parquet", events=1000)
    features = {"user": {"threshold": 2, "ttl_days": 0.1}}
    config = config_of(tmp_path / "log.parquet", features=features, train={"epochs": 1})
    monkeypatch.setattr(demo, "load_config", lambda path: config)
    monkeypatch.setattr(demo, "OUTPUT", tmp_path / "demo")
    monkeypatch.setattr(demo, "THROUGHPUT_S", 0.05)
    monkeypatch.setattr("training.same_memory.SMALL", 10)
    assert demo.main() == 0
    told = " ".join(capsys.readouterr().out.split())  # as if lines were never broken
    for words in ("1 The data", "Expired", "hashed", "Over 3 seeds", "MiB in", "vectors/s", "GiB"):
        assert words in told
    assert told.count("the same bits as in the trainer's table") == 2
    assert demo.main() == 0  # again, over what the first one left


def test_a_config_that_is_not_there_ends_the_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "CONFIG", tmp_path / "nowhere.toml")
    assert demo.main() == 2
    assert "demo: expected a config at" in capsys.readouterr().err


@pytest.mark.parametrize(("rows", "share"), [(1, 1.0), (2**32, 0.0)])
def test_ids_share_where_rows_are_few(rows: int, share: float) -> None:
    assert demo.sharing(Hashed(rows=rows), np.arange(100)) == share
