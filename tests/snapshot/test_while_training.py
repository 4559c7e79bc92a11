"""A snapshot taken while threads train shows one moment; what every row must be is known."""

import threading
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.initializers import Constant
from recsys_embed.optimizers import Adagrad
from recsys_embed.rules import FeatureRule
from recsys_embed.snapshot import open_snapshot, write_snapshot
from recsys_embed.snapshot.table import SnapshotTable
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig

ROWS, DIM = 20_000, 8
CONFIG = TableConfig.of("item", DIM, optimizer=Adagrad(), initializer=Constant(0.0))
IDS = np.arange(ROWS)
ONES = np.ones((ROWS, DIM), np.float32)


def train_step(table: CollisionlessTable, now: int) -> None:
    """Every row gets the gradient 1: after n steps accumulators are n, weights the same for all."""
    table.apply_gradients(table.train_lookup(IDS, time=now).rows, ONES, lr=0.1)


def only(values: np.ndarray) -> float:
    (value,) = np.unique(values)
    return float(value)


def steps_at(table: SnapshotTable) -> int:
    """Reads from accumulators how many steps every row has seen, and checks all else against it."""
    weights, state, counts = (
        np.concatenate(table.columns[name]) for name in ("weights", "state", "count")
    )
    assert len(weights) == ROWS
    steps = int(only(state))
    expected = -0.1 * sum(1 / np.sqrt(n) for n in range(1, steps + 1))
    np.testing.assert_allclose(only(weights), expected, rtol=1e-5)  # float32 sums of 100 terms
    assert only(counts) in (steps, steps + 1)  # the cut may fall between lookup and gradients
    return steps


@pytest.mark.parametrize("shards", [1, 2])
def test_every_row_of_a_snapshot_is_of_the_same_moment(tmp_path: Path, shards: int) -> None:
    table = CollisionlessTable(CONFIG)
    train_step(table, now=1)
    is_done, is_under_way = threading.Event(), threading.Event()

    def train() -> None:
        now = 1
        while not is_done.is_set():
            now += 1
            train_step(table, now)
            is_under_way.set()

    trainer = threading.Thread(target=train)
    trainer.start()
    moments = []
    try:
        for _ in range(6):
            is_under_way.clear()
            is_under_way.wait()
            write_snapshot(tmp_path, {"item": table}, shards=shards)
            moments.append(steps_at(open_snapshot(tmp_path).tables["item"]))
    finally:
        is_done.set()
        trainer.join()
    assert moments == sorted(set(moments)), "training did not go on between the snapshots"


def test_rows_that_change_during_the_save_are_those_of_its_beginning(tmp_path: Path) -> None:
    table = CollisionlessTable(CONFIG)
    train_step(table, now=1)
    trained: list[int] = []

    def train_once(done: int, total: int) -> None:
        if not trained:
            trained.append(done)
            train_step(table, now=2)
            table.evict(IDS[: ROWS // 2])
            table.assign(IDS + ROWS, ONES)

    write_snapshot(tmp_path, {"item": table}, progress=train_once)
    snapshot = open_snapshot(tmp_path).tables["item"]
    assert trained
    assert steps_at(snapshot) == 1
    assert only(np.concatenate(snapshot.columns["count"])) == 1
    np.testing.assert_array_equal(np.sort(np.concatenate(snapshot.columns["ids"])), IDS)


def test_a_cut_of_the_callers_own_stays_open(tmp_path: Path) -> None:
    table = CollisionlessTable(CONFIG)
    train_step(table, now=1)
    with table.cut() as cut:
        train_step(table, now=2)
        write_snapshot(tmp_path, {"item": cut}, shards=3)
        assert steps_at(open_snapshot(tmp_path).tables["item"]) == 1
        assert cut.num_rows_in() == ROWS
    write_snapshot(tmp_path, {"item": table})
    assert steps_at(open_snapshot(tmp_path).tables["item"]) == 2


def test_a_save_that_fails_lets_go_of_the_table(tmp_path: Path) -> None:
    table = CollisionlessTable(CONFIG)
    train_step(table, now=1)

    def fail(done: int, total: int) -> None:
        raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        write_snapshot(tmp_path, {"item": table}, progress=fail)
    write_snapshot(tmp_path, {"item": table})
    assert steps_at(open_snapshot(tmp_path).tables["item"]) == 1


def test_sequence_and_admission_counts_are_of_the_moment_of_the_rows(tmp_path: Path) -> None:
    features = (FeatureRule("trained", threshold=1), FeatureRule("waiting", threshold=10**9))
    config = TableConfig.of("item", 2, features=features)
    table = CollisionlessTable(config)
    trained, waiting = np.arange(500), np.arange(500, 1000)
    is_done, is_under_way = threading.Event(), threading.Event()

    def train_round() -> None:
        table.train_lookup(trained, feature="trained", time=1)
        table.train_lookup(waiting, feature="waiting", time=1)

    def train() -> None:
        while not is_done.is_set():
            train_round()
            is_under_way.set()

    def moment() -> tuple[int, float, float]:
        write_snapshot(tmp_path, {"item": table})
        found = open_snapshot(tmp_path).tables["item"]
        return found.seq, only(found.columns["count"][0]), only(found.admission["counts"])

    train_round()
    first_seq, first_count, first_waiting = moment()
    assert (first_count, first_waiting) == (1, 1)
    calls_a_round = 2
    trainer = threading.Thread(target=train)
    trainer.start()
    moments = []
    try:
        for _ in range(20):
            is_under_way.clear()
            is_under_way.wait()
            moments.append(moment())
    finally:
        is_done.set()
        trainer.join()
    for seq, count, waits in moments:
        calls = seq - first_seq
        assert (count - 1, waits - 1) == (-(-calls // calls_a_round), calls // calls_a_round)
