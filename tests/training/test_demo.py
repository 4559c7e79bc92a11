"""The demo's story, told about a small planted log."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recsys_embed import Hashed
from recsys_embed.errors import RecsysEmbedError
from recsys_embed.snapshot import open_snapshot
from tests.online import runs
from tests.retrieval_towers import making as shop
from tests.training.making import config_of, planted_log
from training import demo, demo_online, demo_retrieval
from training.online.folder import OnlineFolder
from training.served import Served


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
    monkeypatch.setattr(demo, "tell_online", lambda console, output: None)
    monkeypatch.setattr(demo, "tell_retrieval", lambda console, output: None)
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


def test_what_is_served_at_the_end_is_what_was_learned_though_the_trainer_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = runs.write_config(tmp_path, every_s=0.1)
    monkeypatch.setattr(demo_online, "KILL_AT", 3)
    demo_online.tell_online(Console(width=200), tmp_path / "run", config, speed=2_000.0)
    told = capfd.readouterr().out
    assert "kill -9 of the trainer at entry" in told and "again:" in told
    assert f"{runs.EVENTS:,} events learned, each once" in told
    rows = sum(len(table) for table in runs.trained(tmp_path / "run").values())
    assert f"{rows:,} of {rows:,} rows in 2 tables have the same bits" in told


def test_a_row_that_is_served_otherwise_is_told(tmp_path: Path) -> None:
    config = runs.config_of(runs.write_config(tmp_path, events=300), snapshot={"every_s": 1e6})
    runs.run(config, tmp_path / "run")
    first, last = sorted(OnlineFolder(tmp_path / "run").snapshots.iterdir())
    with Served("--snapshot", last) as served:
        assert demo_online.compare(open_snapshot(last), "user", served) > 0
        runs.run(config, tmp_path / "other", max_events=64)
        with pytest.raises(RecsysEmbedError, match="rows of table 'user' are served with other"):
            other = open_snapshot(OnlineFolder(tmp_path / "other").snapshots)
            demo_online.compare(other, "user", served)
        with pytest.raises(RecsysEmbedError, match="expected 0 rows of table 'user'"):
            demo_online.compare(open_snapshot(first), "user", served)


@pytest.mark.parametrize(("rows", "share"), [(1, 1.0), (2**32, 0.0)])
def test_ids_share_where_rows_are_few(rows: int, share: float) -> None:
    assert demo.sharing(Hashed(rows=rows), np.arange(100)) == share


def test_a_customer_gets_recommendations_and_a_product_comes_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = shop.config(shop.write_log(tmp_path, baskets=300), baselines=["popular"])
    red = {"item": "RED thing99", "words": "RED thing99", "price": 1.0}
    monkeypatch.setattr(demo_retrieval, "load_retrieval", lambda path, assignments: config)
    for name, value in (("LIKES", "RED"), ("PRODUCT", red), ("COUNTRY", "FR"), ("DEAR", 9.0)):
        monkeypatch.setattr(demo_retrieval, name, value)
    demo_retrieval.tell_retrieval(Console(width=200), tmp_path / "run")
    told = capsys.readouterr().out
    for words in ("two towers", "customer", "Durable: True", "does not have it", "it is gone"):
        assert words in told
    near = told[told.index("nearest to it:") :].splitlines()[0]
    assert near.count("RED") >= 3  # of 5, where a quarter of all would be by chance
