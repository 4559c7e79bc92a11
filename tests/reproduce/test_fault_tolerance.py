"""Shards that are lost and come back as they were: which rows, which events, at what cost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.errors import ConfigError, InputError
from training.config import from_values
from training.events import Events
from training.reproduce.experiment import Row
from training.reproduce.failing import Start, begin, go_on, learn_failing
from training.reproduce.fault_tolerance import FaultTolerance
from training.reproduce.lost_shard import Failure, Shards
from training.reproduce.online_trainer import learn_whole
from training.splits import Parts
from training.state import Session
from training.train import read

AGES = {"0": 0, "1h": 3600, "2d": 172_800}
IDS = np.arange(-50, 50)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 users with a weight each, an event every ten minutes, for 28 days."""
    path = tmp_path_factory.mktemp("shards") / "log.parquet"
    rng = np.random.default_rng(5)
    user = rng.integers(0, 100, 4000)
    labels = rng.random(4000) < 1 / (1 + np.exp(-rng.normal(0, 3, 100)[user]))
    time = np.arange(4000) * 600
    pl.DataFrame({"user": user, "item": user % 3, "time": time, "label": labels}).write_parquet(
        path
    )
    return path


@pytest.fixture(scope="module")
def data(log: Path) -> tuple[Events, Parts]:
    return read(from_values({"name": "log", "seed": 1, **stream_of(log)}))


@pytest.fixture(scope="module")
def start(log: Path, data: tuple[Events, Parts]) -> Start:
    config = from_values({"name": "log", "seed": 1, **stream_of(log)})
    return begin(config, *data, [*AGES.values(), None], 5, Shards(5, seed=1))


def taught(table: CollisionlessTable, ids: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    answer = table.train_lookup(ids, time=seed)
    table.apply_gradients(answer.rows, rng.normal(size=(len(ids), 2)).astype(np.float32), lr=0.1)


def columns_of(table: CollisionlessTable) -> dict[int, list[bytes]]:
    return {
        int(block.ids[k]): [column[k].tobytes() for column in block]
        for block in table.rows(rows_per_block=7)
        for k in range(len(block.ids))
    }


def test_a_lost_shard_is_as_it_was_saved_and_the_others_as_they_are() -> None:
    table, shards = CollisionlessTable(TableConfig.of("item", 2)), Shards(4, seed=2)
    taught(table, IDS[:60], 1)
    saved, then = shards.save(3, {"item": table}), columns_of(table)
    taught(table, IDS[30:], 2)
    now = columns_of(table)
    shards.lose(3, {"item": table}, saved)
    held = {id: bool(shards.hold(3, np.array([id]))[0]) for id in IDS.tolist()}
    expected = {id: row for id, row in now.items() if not held[id]}
    expected |= {id: row for id, row in then.items() if held[id]}
    assert columns_of(table) == expected and set(then) & {i for i in held if held[i]}
    shards.lose(3, {"item": table}, None)
    assert columns_of(table) == {id: row for id, row in now.items() if not held[id]}


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(1, 20), st.integers(0, 9))
def test_every_id_lies_in_one_shard(ids: list[int], number: int, seed: int) -> None:
    shards = Shards(number, seed)
    held = [shards.hold(shard, np.array(ids, np.int64)) for shard in range(number)]
    assert np.sum(held, axis=0).tolist() == [1] * len(ids)


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(sorted),
    st.data(),
    st.integers(1, 5),
    st.integers(0, 500),
)
def test_a_snapshot_knows_what_was_before_its_moment(
    times: list[int], data: st.DataObject, number: int, age: int
) -> None:
    first = data.draw(st.integers(0, len(times) - 1))
    plan = Shards(3).failures(np.array(times), first, number, age)
    assert [failure.shard for failure in plan] == [k % 3 for k in range(number)]
    for failure in plan:
        moment = times[failure.at] - age
        assert failure.saved is not None and failure.saved <= failure.at
        assert all(time < moment for time in times[: failure.saved])
        assert all(time >= moment for time in times[failure.saved :])
        assert failure.at == times.index(times[failure.at])
    assert [f.at for f in plan] == [
        f.at for f in Shards(3).failures(np.array(times), first, number, None)
    ]


def test_what_was_saved_a_moment_ago_costs_nothing(start: Start) -> None:
    plan = start.plan(0, 5)
    assert np.array_equal(learn_failing(go_on(start), start, plan), start.logits)
    lossy = learn_failing(go_on(start), start, start.plan(None, 5))
    at = plan[0].at
    assert np.array_equal(lossy[:at], start.logits[:at])
    assert not np.array_equal(lossy[at:], start.logits[at:])


def test_a_fork_goes_on_as_if_there_were_none(data: tuple[Events, Parts], start: Start) -> None:
    events, parts = data
    whole = np.concatenate(parts)
    session = Session(start.config, start.row_maps)
    cuts = [len(whole) - len(start.order), *(c + len(whole) - len(start.order) for c in start.cuts)]
    own = [learn_whole(session, events, part) for part in np.split(whole, cuts)]
    assert np.array_equal(np.concatenate(own)[-len(start.logits) :], start.logits)
    assert start.order[start.first] == parts.test[0] and start.cuts[0] == 0


def test_events_count_for_users_of_the_lost_shard_until_the_next_loss(start: Start) -> None:
    plan = [Failure(0, 700, 0), Failure(4, 900, None)]
    after, lost = start.touched(plan, "user")
    users = start.events.bags["user"].values[start.order]
    for k in range(len(start.order)):
        shard = 4 if k >= 900 else 0
        held = bool(start.shards.hold(shard, users[k : k + 1])[0])
        assert (after[k], lost[k]) == ((k >= 700), (k >= 700) and held)


def test_the_older_the_snapshot_the_more_is_lost(log: Path, tmp_path: Path) -> None:
    experiment = FaultTolerance({"log": stream_of(log)}, {"log": "user"}, AGES, 5, 4)
    rows = {case: Row(case, [experiment.run(case, 1)], {}) for case in experiment.cases}
    assert rows["log 0"].mean("cost") == rows["log 0"].mean("cost_lost") == 0
    assert rows["log never"].mean("cost_lost") > rows["log never"].mean("cost") > 0
    assert rows["log never"].mean("cost_lost") > max(0.03, rows["log 2d"].mean("cost_lost"))
    claims = experiment.claims(rows)
    assert len(claims) == 3 and claims[-1].is_met
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000
    assert experiment.run("log never", 2).metrics != rows["log never"].outcomes[0].metrics


def test_a_day_is_what_the_paper_speaks_of(log: Path) -> None:
    ages = {"0": 0, "1d": 86_400}
    experiment = FaultTolerance({"log": stream_of(log)}, {"log": "user"}, ages, 5, 2)
    rows = {"log 1d": Row("log 1d", [experiment.run("log 1d", 1)], {})}
    (claim,) = experiment.claims(rows)
    assert claim.obtained == rows["log 1d"].mean("cost") and claim.most == 1e-3


@pytest.mark.parametrize(
    "wrong",
    [{"users": {}}, {"ages": {"a": 2, "b": 1}}, {"ages": {"a": -1}}, {"shards": 0}],
)
def test_what_cannot_be_is_refused(log: Path, wrong: dict[str, Any]) -> None:
    given = {"streams": {"log": {}}, "users": {"log": "user"}, "ages": AGES, **wrong}
    with pytest.raises(ConfigError, match="users must|ages must|shards and failures"):
        FaultTolerance(**given)


def test_an_event_needs_one_user(start: Start) -> None:
    bags = start.events.bags["user"]
    lengths = bags.lengths.copy()
    lengths[start.order[3]] = 0
    events = replace(start.events, bags={"user": replace(bags, lengths=lengths)})
    with pytest.raises(InputError, match="one id of feature 'user'"):
        replace(start, events=events).touched([], "user")


def stream_of(log: Path) -> dict[str, Any]:
    return {
        "data": {"kind": "log", "path": str(log)},
        "events": {"label": "label", "time": "time"},
        "split": {"kind": "time", "validation": 0.1, "test": 0.3},
        "features": {"user": {}, "item": {}},
        "table": {"dim": 8, "lr": 0.3},
        "model": {"kind": "dnn", "hidden": [16]},
        "train": {"batch_size": 50, "lr": 0.01, "threads": 1},
    }
