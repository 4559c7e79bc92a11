"""Trainers that are killed at any moment lose nothing and repeat nothing, as real processes."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest

from recsys_embed.delta_log import open_log
from recsys_embed.errors import RecsysEmbedError
from recsys_embed.snapshot import open_snapshot
from tests.online import runs
from tests.trainers import Trainers
from training.online.folder import OnlineFolder

KILLS = int(os.environ.get("RECSYS_KILLS", "3"))


@pytest.fixture(scope="module")
def trainers() -> Iterator[Trainers]:
    with Trainers() as started:
        yield started


def test_kill_9_at_any_moment_loses_and_repeats_nothing(
    tmp_path: Path, trainers: Trainers, redis_url: str
) -> None:
    path = runs.write_config(tmp_path, events=6_000, batch=16, ttl_days=1000.0)
    frame, chance = pl.read_parquet(tmp_path / "log.parquet"), random.Random(3)
    runs.run(runs.config_of(path), tmp_path / "whole")
    for place in ("", f"{redis_url}/{uuid4().hex}"):
        output = tmp_path / ("redis" if place else "directory")
        publish = ["--set", "publish.lease_s=0.2"]
        publish += ["--set", f"publish.log={place}"] if place else []
        arguments = ["online", str(path), "--output", str(output), *publish]
        for _ in range(KILLS):
            trainer = trainers.start(*arguments, says=tmp_path / "says")
            time.sleep(chance.uniform(0.05, 0.4))
            trainer.kill()
        assert trainers.start(*arguments, says=tmp_path / "says").wait(60) == 0
        tables = runs.trained(output)
        runs.same(tables, runs.trained(tmp_path / "whole"))
        for column in ("user", "item"):
            assert runs.counted(tables[column]) == runs.occurrences(frame, column)
        log = open_log(place or OnlineFolder(output).log)
        assert (
            log.head().number
            == open_snapshot(OnlineFolder(output).snapshots).extra["log"]["number"]
        )
        for snapshot in OnlineFolder(output).snapshots.glob("snapshot-*"):
            entry = open_snapshot(snapshot).extra["log"]
            if entry["lineage"] == log.head().lineage and entry["number"] >= log.head().trimmed:
                runs.same(runs.replayed(log, snapshot), tables)
        log.close()


def test_a_trainer_told_to_stop_publishes_all_and_goes_on_later(
    tmp_path: Path, trainers: Trainers
) -> None:
    path = runs.write_config(tmp_path, events=6_000, batch=16)
    arguments = ["online", str(path), "--output", str(tmp_path / "run")]
    trainer = trainers.start(*arguments, says=tmp_path / "says")
    log = runs.log_of(tmp_path / "run")
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        try:
            if log.head().number > 2:
                break
        except RecsysEmbedError:
            pass
        time.sleep(0.01)
    trainer.signal(signal.SIGTERM)
    assert trainer.wait(30) == 128 + signal.SIGTERM
    assert "the same command goes on from there" in trainer.said()
    stopped = open_snapshot(OnlineFolder(tmp_path / "run").snapshots)
    assert stopped.extra["log"]["number"] == log.head().number
    assert 0 < stopped.extra["position"]["trained"] < 6_000
    again = trainers.start(*arguments, says=tmp_path / "says")
    assert again.wait(60) == 0
    assert "6,000 events" in again.said()
    runs.run(runs.config_of(path), tmp_path / "whole")
    runs.same(runs.trained(tmp_path / "run"), runs.trained(tmp_path / "whole"))


def test_the_second_trainer_on_a_log_is_refused(tmp_path: Path, trainers: Trainers) -> None:
    path = runs.write_config(tmp_path, events=3_000)
    place = ["--set", f"publish.log={tmp_path / 'log'}", "--set", "publish.lease_s=0.1"]
    slow = ["--set", "source.speed=1000"]
    one = trainers.start(
        "online", str(path), "--output", str(tmp_path / "one"), *place, *slow, says=tmp_path / "1"
    )
    log = open_log(tmp_path / "log")
    deadline = time.monotonic() + 30
    while not (tmp_path / "log" / "log.json").exists():
        assert time.monotonic() < deadline, one.said()
        time.sleep(0.01)
    lineage = log.head().lineage
    for extra in ([], ["--anew"]):
        arguments = ["online", str(path), "--output", str(tmp_path / "two"), *place, *extra]
        two = trainers.start(*arguments, says=tmp_path / "2")
        assert two.wait(30) == 2
        refused = "is held by the writer" if extra else "is another run's"
        assert refused in two.said()
    assert one.wait(60) == 0
    assert log.head().lineage == lineage
    runs.run(runs.config_of(path), tmp_path / "whole")
    assert runs.counted(runs.trained(tmp_path / "one")["user"]) == runs.counted(
        runs.trained(tmp_path / "whole")["user"]
    )
