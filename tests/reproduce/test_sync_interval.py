"""Serving copies of a trainer: what they know, and since when."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from tests.training.making import config_of
from training.config import RunConfig
from training.events import Events
from training.metrics import auc
from training.reproduce.experiment import Outcome, Row
from training.reproduce.online_trainer import OnlineTrainer, batch_of, learn_whole, moments
from training.reproduce.serving_copy import ServingCopy
from training.reproduce.sync_claims import claims_of_dense
from training.reproduce.sync_interval import SyncInterval
from training.reproduce.synchronized import Served, serve
from training.reproduce.within_groups import auc_within
from training.splits import Parts
from training.state import Session
from training.train import read, row_maps_of

EVENTS, ONLINE = 1500, 1200
MINUTE, HOUR, DAY = 60, 3600, 86_400
INTERVALS = {"1h": HOUR, "1min": MINUTE, "1s": 1}
PHASES = {"1h": 3}
DENSE = {"all": 0, "dense-1d": DAY}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 users with a weight each, drawn anew where the online part begins; 3 events a second."""
    path = tmp_path_factory.mktemp("sync") / "log.parquet"
    rng = np.random.default_rng(7)
    user = rng.integers(0, 20, EVENTS)
    weights = rng.normal(0, 3, (2, 20))[(np.arange(EVENTS) >= ONLINE).astype(int), user]
    labels = rng.random(EVENTS) < 1 / (1 + np.exp(-weights))
    time = 1_036_000 + np.arange(EVENTS) // 3 * 200  # an online part of five hours over midnight
    columns = {"user": user, "item": user % 3, "price": 0.0 * user, "time": time, "label": labels}
    pl.DataFrame(columns).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def config(log: Path) -> RunConfig:
    return config_of(log, train={"epochs": 1, "missing": "initial"})


@pytest.fixture(scope="module")
def data(config: RunConfig) -> tuple[Events, Parts]:
    return read(config)


@pytest.fixture(scope="module")
def served(config: RunConfig, data: tuple[Events, Parts]) -> Served:
    return serve(config, *data, INTERVALS, DENSE, PHASES)


def started(config: RunConfig, data: tuple[Events, Parts]) -> Session:
    events, parts = data
    session = Session(config, row_maps_of(config, events, parts))
    for table in session.model.collection.tables.values():
        table.track_changes()
    learn_whole(session, events, np.concatenate(parts[:2]))
    return session


def test_a_copy_that_gets_all_every_second_is_the_trainer(
    config: RunConfig, data: tuple[Events, Parts], served: Served
) -> None:
    events, parts = data
    session = started(config, data)
    trainer = OnlineTrainer(session)
    online = parts.test
    own = [
        trainer.learn(batch_of(session, events, online[moment]))
        for moment in moments(times_of(events)[online])
    ]
    assert np.array_equal(np.concatenate(own), served.logits["1s,all"][0])
    assert not np.array_equal(served.logits["1s,all"], served.logits["batch"])


def test_a_copy_knows_what_was_before_its_last_synchronization_and_no_more(
    config: RunConfig, data: tuple[Events, Parts], served: Served
) -> None:
    events, parts = data
    labels, times = events.labels.copy(), times_of(events)[parts.test]
    changed = 150
    labels[parts.test[changed]] = 1 - labels[parts.test[changed]]
    other = serve(config, replace(events, labels=labels), parts, INTERVALS, DENSE, PHASES)
    for name, interval in INTERVALS.items():
        for k, (one, another) in enumerate(
            zip(served.logits[f"{name},all"], other.logits[f"{name},all"], strict=True)
        ):
            phase = interval * k // PHASES.get(name, 1)
            known = ((times[changed] + phase) // interval + 1) * interval - phase
            differs = one != another
            assert not differs[times < known].any() and differs[times >= known].any()
    assert len(served.logits["1h,all"]) == PHASES["1h"]
    assert np.array_equal(served.logits["batch"], other.logits["batch"])


def test_dense_layers_keep_their_own_schedule(
    config: RunConfig, data: tuple[Events, Parts]
) -> None:
    events, parts = data
    session = started(config, data)
    online, times = parts.test, times_of(events)[parts.test]
    row_maps = row_maps_of(config, events, parts)
    copy = ServingCopy(session, row_maps, HOUR, DENSE, int(times[0]) - 1)
    nets = {name: [weights_of(copy, name)] for name in DENSE}
    days = [int(times[0]) // DAY]
    trainer = OnlineTrainer(session)
    for moment in moments(times):
        copy.serve(events, online[moment], int(times[moment.start]))
        trainer.learn(batch_of(session, events, online[moment]))
        days.append(int(times[moment.start]) // DAY)
        for name, kept in nets.items():
            kept.append(weights_of(copy, name))
    fresh, stale = (changes_of(nets[name]) for name in DENSE)
    assert sum(fresh) > sum(stale) == 1
    assert stale == [a != b for a, b in pairwise(days)]


def weights_of(copy: ServingCopy, name: str) -> np.ndarray:
    state = copy.network(name).state_dict()
    return np.concatenate([value.numpy().ravel() for value in state.values()])


def changes_of(kept: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(a, b) for a, b in pairwise(kept)]


def test_a_row_is_sent_once_for_each_interval_it_changes_in(
    data: tuple[Events, Parts], served: Served
) -> None:
    events, parts = data
    times, bags = times_of(events)[parts.test], events.bags
    for name, interval in INTERVALS.items():
        phases = range(PHASES.get(name, 1))
        spans = [(times + interval * k // len(phases)) // interval for k in phases]
        changed = [
            {
                (bucket, feature, id)
                for feature in ("user", "item")
                for bucket, id in zip(
                    span.tolist(), bags[feature].values[parts.test].tolist(), strict=True
                )
                if bucket < span[-1]  # nobody asks after the last
            }
            for span in spans
        ]
        mean = sum(map(len, changed)) / len(phases)
        assert served.rows_sent[f"{name},all"] == served.rows_sent[f"{name},dense-1d"] == mean
    assert served.rows_sent["batch"] == 0


def test_parts_of_a_batch_teach_what_the_whole_teaches(
    config: RunConfig, data: tuple[Events, Parts]
) -> None:
    events = data[0]
    lone = np.unique(events.bags["user"].values[:ONLINE], return_index=True)[1]
    rate = replace(config.train, batch_size=len(lone), lr=1e-3)
    alone = {"item": replace(config.tables["item"], lr=1e-9)}  # three ids, in every part
    config = replace(config, train=rate, tables={**config.tables, **alone})
    whole, parted = (Session(config, row_maps_of(config, *data)) for _ in range(2))
    learn_whole(whole, events, lone)
    trainer = OnlineTrainer(parted)
    for part in np.array_split(lone, 7):
        trainer.learn(batch_of(parted, events, part))
    for a, b in zip(whole.model.net.parameters(), parted.model.net.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    ids = events.bags["user"].values[lone]
    rows = [s.model.collection.tables["user"].lookup(ids) for s in (whole, parted)]
    assert np.allclose(*rows, atol=1e-6) and not np.allclose(rows[0], 0)


def test_moments_are_whole_seconds() -> None:
    times = np.array([-3, -3, 0, 7, 7, 7])
    assert [times[m].tolist() for m in moments(times)] == [[-3, -3], [0], [7, 7, 7]]
    assert moments(times[:0]) == []


def test_fresh_rows_win_when_tastes_change(log: Path, tmp_path: Path) -> None:
    experiment = SyncInterval({"log": stream_of(log)}, {"log": "user"}, INTERVALS, DENSE, PHASES, 4)
    rows = {case: Row(case, [experiment.run(case, 1)], {}) for case in experiment.cases}
    assert rows["log batch"].mean("gain") == 0 and rows["log batch"].mean("auc") < 0.6
    assert rows["log 1min,all"].mean("gain") > 0.1
    assert [claim.is_met for claim in experiment.claims(rows)].count(True) > 6
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000
    few = replace(experiment, events=300).run("log batch", 1)  # not from what was kept
    assert few.metrics["pooled"] != rows["log batch"].mean("pooled")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 5)), max_size=40))
def test_auc_within_groups_is_that_of_each_by_its_events(
    events: list[tuple[int, int, int]],
) -> None:
    scores, labels, groups = np.array(events, np.int64).reshape(-1, 3).T
    found = {group: (scores[groups == group], labels[groups == group]) for group in set(groups)}
    mixed = [(len(s), auc(s, y)) for s, y in found.values() if 0 < y.sum() < len(y)]
    expected = sum(n * a for n, a in mixed) / sum(n for n, _ in mixed) if mixed else np.nan
    assert auc_within(scores, labels, groups) == pytest.approx(expected, nan_ok=True)
    level = scores + 100 * groups  # who it is does not matter
    assert auc_within(level, labels, groups) == pytest.approx(expected, nan_ok=True)


def test_stale_dense_layers_are_measured_against_fresh_ones() -> None:
    def row(case: str, auc: float) -> Row:
        return Row(case, [Outcome({"auc": auc, "gain": 0.0}, 0, 0)], {})

    aucs = {"log 1h,all": 0.7, "log 1h,daily": 0.698, "log 1s,all": 0.7, "log 1s,daily": 0.71}
    rows = {case: row(case, value) for case, value in aucs.items()}
    claims = claims_of_dense(rows, ["log"], ["1h", "1s"], {"daily": DAY, "all": 0})
    assert [round(claim.obtained, 6) for claim in claims] == [0.002, -0.01]
    assert [claim.is_met for claim in claims] == [False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"intervals": {"a": 1, "b": 2}},
        {"intervals": {"a": 0}},
        {"dense": {}},
        {"phases": {"2h": 2}},
        {"phases": {"1h": 0}},
        {"users": {"log": "user"}},
    ],
)
def test_impossible_schedules_are_refused(wrong: Mapping[str, Any]) -> None:
    given = {"streams": {}, "users": {}, "intervals": INTERVALS, "dense": {"all": 0}, **wrong}
    with pytest.raises(
        ConfigError, match="expected schedules|intervals must be|phases must|users must"
    ):
        SyncInterval(**given)


def times_of(events: Events) -> np.ndarray:
    assert events.times is not None
    return events.times


def stream_of(log: Path) -> dict[str, Any]:
    return {
        "data": {"kind": "log", "path": str(log)},
        "events": {"label": "label", "time": "time"},
        "split": {"kind": "time", "validation": 0.1, "test": 0.2},
        "features": {"user": {}, "item": {}},
        "table": {"dim": 8, "lr": 0.3},
        "model": {"kind": "dnn", "hidden": [16]},
        "train": {"batch_size": 100, "lr": 0.01, "threads": 1},
    }
