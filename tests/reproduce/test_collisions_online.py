"""Learning in order under rules for rows: causality, collision rates, memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import Hashed
from recsys_embed.errors import ConfigError
from tests.training.making import config_of
from training.config import RunConfig
from training.described import Table
from training.events import Events
from training.reproduce.collisions_online import CollisionsOnline
from training.reproduce.experiment import Row
from training.reproduce.prequential import bytes_of, prequential
from training.reproduce.row_rules import Rule, ruled, sharing
from training.splits import Parts
from training.train import read


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 users with a weight each, 3 items; a user is seen ten times in a row of time."""
    path = tmp_path_factory.mktemp("online") / "log.parquet"
    rng = np.random.default_rng(2)
    user = rng.permutation(np.repeat(np.arange(1000), 8))
    labels = rng.random(8000) < 1 / (1 + np.exp(-rng.normal(0, 3, 1000)[user]))
    time = np.arange(8000) * 3600
    columns = {"user": user, "item": user % 3, "price": 0.0 * user, "time": time, "label": labels}
    pl.DataFrame(columns).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def config(log: Path) -> RunConfig:
    return config_of(log, train={"epochs": 1, "expire_every": 1})


@pytest.fixture(scope="module")
def data(config: RunConfig) -> tuple[Events, Parts]:
    return read(config)


def test_no_event_is_predicted_by_what_comes_after(
    config: RunConfig, data: tuple[Events, Parts]
) -> None:
    events, parts = data
    whole = prequential(config, events, parts).logits
    flipped = events.labels.copy()
    flipped[4000:4100] = 1 - flipped[4000:4100]  # one batch
    other = prequential(config, replace(events, labels=flipped), parts).logits
    assert len(whole) == len(events) and np.array_equal(whole[:4100], other[:4100])
    assert not np.array_equal(whole[4100:], other[4100:])


def test_a_hashed_table_takes_a_plain_array(config: RunConfig, data: tuple[Events, Parts]) -> None:
    hashed, _ = ruled(config, Rule(collided=0.5), data[0], large=500)
    tables = prequential(hashed, *data).session.model.collection.tables
    assert bytes_of(tables["user"]) == 1443 * (8 + 1) * 4  # 1000 / ln 2; one accumulator
    assert bytes_of(tables["item"]) == tables["item"].stats().bytes


@given(st.integers(0, 1000), st.sampled_from([0.1, 0.5, 0.9]))
def test_as_many_ids_collide_as_asked(seed: int, share: float) -> None:
    row_map = Rule(collided=share).table(Table(), 20_000, seed).row_map
    assert isinstance(row_map, Hashed)
    met = sharing(row_map, np.random.default_rng(seed).integers(-(2**63), 2**63, 20_000))
    assert met / 20_000 == pytest.approx(share, abs=0.02)


def test_shared_rows_are_counted_by_id() -> None:
    ids = np.arange(50)
    rows = Hashed(rows=20).map(ids).rows[0].tolist()
    assert sharing(Hashed(rows=20), ids) == sum(rows.count(row) > 1 for row in rows)
    assert sharing(Table().row_map, ids) == 0


def test_small_tables_are_left_alone(config: RunConfig, data: tuple[Events, Parts]) -> None:
    new, shared = ruled(config, Rule(threshold=2, ttl_days=3), data[0], large=500)
    assert new.features["user"].threshold == 2 and new.features["user"].ttl_days == 3
    assert new.features["item"] == config.features["item"] and shared == 0.0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="collided must be in"):
        Rule(collided=share)


def test_own_rows_win_and_filters_save(log: Path, tmp_path: Path) -> None:
    rules = {
        "collisionless": Rule(),
        "hashed-90%": Rule(collided=0.9),
        "admitted-3": Rule(threshold=3),
        "expiring-20": Rule(ttl_days=20),
    }
    experiment = CollisionsOnline({"log": stream_of(log)}, rules)
    rows = {case: Row(case, [experiment.run(case, 1)], {}) for case in experiment.cases}
    full = rows["log collisionless"]
    assert full.rows == 1003 and full.mean("shared") == 0
    assert rows["log hashed-90%"].mean("shared") == pytest.approx(0.9, abs=0.03)
    assert rows["log expiring-20"].rows < full.rows
    assert all(claim.is_met for claim in experiment.claims(rows))
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000


def test_equal_seeds_give_equal_figures_and_quick_takes_fewer_events(log: Path) -> None:
    experiment = CollisionsOnline({"log": stream_of(log)}, {"hashed": Rule(collided=0.5)})
    first, again, other = (experiment.run("log hashed", seed) for seed in (1, 1, 2))
    assert first == again != other
    few = replace(experiment.quick(), events=900).run("log hashed", 1)
    assert few.rows == first.rows and few.metrics != first.metrics


def stream_of(log: Path) -> dict[str, Any]:
    return {
        "data": {"kind": "log", "path": str(log)},
        "events": {"label": "label", "time": "time"},
        "split": {"kind": "time", "validation": 0.1, "test": 0.3},
        "features": {"user": {}, "item": {}},
        "table": {"dim": 8, "lr": 0.3},
        "model": {"kind": "dnn", "hidden": [16]},
        "train": {"batch_size": 100, "lr": 0.01, "threads": 1, "expire_every": 1},
    }
