"""A replay gives the events of its log: the same features, in time order, when they fall due."""

import json
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_embed.config import from_dict, to_dict
from recsys_embed.errors import ConfigError, InputError
from tests.online.logs import config_of, replay_of, write_log
from training.batches import make_batch
from training.config import RunConfig
from training.events import load_events
from training.online.records import events_of
from training.online.sources import Source
from training.online.sources.replay import seconds_of


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    write_log(tmp_path / "log.parquet")
    return config_of(tmp_path / "log.parquet")


def everything(source: Source, at_once: int = 64) -> pl.DataFrame:
    """All records of a replay, read in chunks."""
    chunks = []
    while not source.is_done:
        chunk = source.read(at_once, 0.0)
        assert chunk is not None and 0 < len(chunk) <= at_once
        chunks.append(chunk.records)
    assert source.read(at_once, 0.0) is None
    return pl.concat(chunks)


@pytest.mark.parametrize("negatives", [False, True])
@pytest.mark.parametrize("at_once", [1, 64, 1000])
def test_features_made_of_records_are_those_of_the_log_bit_for_bit(
    tmp_path: Path, negatives: bool, at_once: int
) -> None:
    write_log(tmp_path / "log.parquet")
    config = config_of(tmp_path / "log.parquet", negatives=negatives)
    events = load_events(config.data.read(), config.events, config.features, config.dense)
    expected = make_batch(events, np.arange(len(events)), list(config.features))
    records = everything(replay_of(config).open(config.features, config.dense), at_once)
    assert records["type"].unique().to_list() == ["event"]
    made = events_of(records, config.features, config.dense)
    batch = make_batch(made, np.arange(len(made)), list(config.features))
    assert np.array_equal(batch.dense.numpy(), expected.dense.numpy())
    assert np.array_equal(batch.labels.numpy(), expected.labels.numpy())
    assert np.array_equal(batch.bags.values().numpy(), expected.bags.values().numpy())
    assert np.array_equal(batch.bags.lengths().numpy(), expected.bags.lengths().numpy())
    assert np.array_equal(batch.bags.weights().numpy(), expected.bags.weights().numpy())
    assert np.array_equal(made.times, events.times)


def test_an_outcome_follows_each_click_and_brings_nothing_but_its_label(config: RunConfig) -> None:
    whole = everything(replay_of(config).open(config.features, config.dense))
    apart = everything(replay_of(config, outcome_after_s=7).open(config.features, config.dense))
    shown = apart.filter(pl.col("type") == "impression")
    outcomes = apart.filter(pl.col("type") == "outcome")
    assert len(apart) == len(shown) + len(outcomes)
    assert apart["time"].is_sorted()
    without = ["type", "label"]
    assert shown.drop(without).equals(whole.drop(without))
    assert shown["label"].null_count() == len(shown)
    clicked = whole.filter(pl.col("label") > 0).select("key", pl.col("time") + 7)
    assert outcomes.select("key", "time").equals(clicked)
    assert outcomes["label"].to_list() == [1.0] * len(clicked)
    columns = outcomes.drop("type", "key", "time", "label")
    assert columns.width and all(column.null_count() == len(outcomes) for column in columns)
    assert apart.schema == whole.schema


def test_start_and_stop_cut_the_replay_but_not_the_past(config: RunConfig) -> None:
    whole = everything(replay_of(config).open(config.features, config.dense))
    moments = {"start": "2011-11-02T00:01:00", "stop": 1_320_192_200}
    part = everything(replay_of(config, **moments).open(config.features, config.dense))
    expected = whole.filter(pl.col("time").is_between(1_320_192_060, 1_320_192_200, closed="left"))
    assert 0 < len(part) < len(whole) and part.equals(expected)


def test_records_fall_due_by_the_clock(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = 5000.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.sleep", sleep)
    source = replay_of(config, speed=10).open(config.features, config.dense)
    first = source.read(1000, 0.0)
    assert first is not None and first.records["time"].n_unique() == 1
    begin = first.records["time"][0]
    now += 3.0
    second = source.read(1000, 0.0)
    assert second is not None and second.records["time"].max() == begin + 30
    assert source.lag() == 0 and source.read(1000, 0.01) is None and slept == [0.01]
    third = source.read(1000, 60.0)
    assert third is not None and 0 < sum(slept[1:]) < 1
    source.seek(first.offset)  # the clock of the replay begins where it goes on
    again = source.read(1000, 0.0)
    assert again is not None and again.records["time"].n_unique() == 1
    assert again.records["key"][0] == second.records["key"][0]


def test_what_a_replay_cannot_do_is_refused(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(ConfigError, match="say events.time"):
        replay_of(config, events={"label": "clicked"})
    with pytest.raises(ConfigError, match="speed >= 0"):
        replay_of(config, speed=-1)
    with pytest.raises(ConfigError, match="start: expected seconds or a date"):
        replay_of(config, start="yesterday")
    with pytest.raises(ConfigError, match=r"column 'tags'.*\[source.events.derive\]"):
        replay_of(config).open(config.features, config.dense, ["tags"])
    source = replay_of(config).open(config.features, config.dense)
    with pytest.raises(InputError, match="0 to .* records, got 10000"):
        source.seek({"records": 10_000})
    pl.DataFrame({"key": ["a"], "time": [1], "y": [1]}).write_parquet(tmp_path / "other.parquet")
    data = {"kind": "log", "path": str(tmp_path / "other.parquet")}
    other = replay_of(config, data=data, events={"label": "y", "time": "time"})
    features = {"key": config.features["user"]}
    with pytest.raises(ConfigError, match="has columns key, which every record has"):
        other.open(features, type(config.dense)())


def test_dates_of_toml_are_taken_and_become_json(config: RunConfig) -> None:
    values = tomllib.loads("start = 2011-11-02\nstop = 2011-11-02T08:30:00")
    replay = replay_of(config, **values)
    assert (replay.start, replay.stop) == ("2011-11-02", "2011-11-02T08:30:00")
    assert from_dict(type(replay), json.loads(json.dumps(to_dict(replay)))) == replay


def test_a_date_without_a_zone_is_of_utc() -> None:
    assert seconds_of("1970-01-02", "start") == 86_400
    assert seconds_of("1970-01-02T02:00+02:00", "start") == 86_400
