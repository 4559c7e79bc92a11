"""Lookups overlap with each other and with one writer and never see half a write."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from recsys_embed import SGD, CollisionlessTable, Constant, FeatureRule, TableConfig
from tests.table.making import columns, int64s

DIM = 64
IDS = np.arange(2000)


def whole_rows() -> CollisionlessTable:
    """Every row, also a new one, holds one number DIM times."""
    config = TableConfig.of("t", DIM, optimizer=SGD(), initializer=Constant(0.5))
    table = CollisionlessTable(config)
    table.assign(IDS, np.zeros((len(IDS), DIM), np.float32))
    return table


def read_while(write: Callable[[], None], read: Callable[[], None], num_readers: int = 2) -> None:
    """Runs `read` over and over in threads, at least once each, until `write` is done."""
    done, failures = threading.Event(), []

    def repeat() -> None:
        try:
            read()
            while not done.is_set():
                read()
        except BaseException as failure:  # a thread would swallow it
            failures.append(failure)

    readers = [threading.Thread(target=repeat) for _ in range(num_readers)]
    for reader in readers:
        reader.start()
    try:
        write()
    finally:
        done.set()
        for reader in readers:
            reader.join()
    if failures:
        raise failures[0]


def assert_whole(values: np.ndarray) -> None:
    torn = np.flatnonzero((values != values[:, :1]).any(1))
    assert len(torn) == 0, f"row {torn[0]} is torn: {values[torn[0]]}"


def writers(table: CollisionlessTable, rng: np.random.Generator) -> dict[str, Callable[[], None]]:
    """Ways to change rows as wholes."""

    def assign() -> None:
        for n in range(150):
            table.assign(IDS, np.full((len(IDS), DIM), n, np.float32))

    def descend() -> None:
        for _ in range(150):
            table.apply_gradients(IDS, np.ones((len(IDS), DIM), np.float32), lr=1.0)

    def grow() -> None:
        for n in range(40):
            table.train_lookup(IDS + n * 500)

    def shrink() -> None:
        for n in range(40):
            table.train_lookup(np.arange(4000))
            table.evict(rng.integers(0, 4000, 3000))
            table.compact(500)
            table.assign(IDS, np.full((len(IDS), DIM), n, np.float32))

    return {"assign": assign, "descend": descend, "grow": grow, "shrink": shrink}


@pytest.mark.parametrize("way", ["assign", "descend", "grow", "shrink"])
def test_readers_never_see_a_torn_row(way, rng):
    table = whole_rows()
    read_while(writers(table, rng)[way], lambda: assert_whole(table.lookup(IDS)))


@pytest.mark.parametrize("way", ["assign", "descend", "grow", "shrink"])
def test_pooled_readers_never_see_a_torn_row(way, rng):
    table = whole_rows()
    offsets = np.arange(len(IDS) + 1)
    read_while(writers(table, rng)[way], lambda: assert_whole(table.lookup_pooled(IDS, offsets)))


def test_iteration_during_writes_sees_whole_rows(rng):
    table = whole_rows()

    def read() -> None:
        for block in table.rows():
            assert_whole(block.weights)

    read_while(writers(table, rng)["shrink"], read, num_readers=1)


def test_an_id_that_is_never_evicted_is_always_found(rng):
    table = whole_rows()
    kept = np.arange(10_000, 10_500)
    table.assign(kept, np.full((len(kept), DIM), 7, np.float32))

    def read() -> None:
        assert table.contains(kept).all()
        assert (table.lookup(kept, missing="error") == 7).all()

    read_while(writers(table, rng)["shrink"], read)


def test_writers_exclude_each_other_and_lose_no_step():
    table = whole_rows()
    grads = np.full((len(IDS), DIM), -1, np.float32)

    def descend() -> None:
        for _ in range(100):
            table.apply_gradients(IDS, grads, lr=1.0)

    threads = [threading.Thread(target=descend) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (table.lookup(IDS) == 300).all()


def test_gradients_never_land_on_a_row_that_changed_hands():
    """While one thread trains, another's call expires those rows and gives them to other ids."""
    config = TableConfig.of(
        "t", 1, optimizer=SGD(), initializer=Constant(0.0), sweep_rows=1 << 20,
        features=(FeatureRule("f", ttl_s=100),),
    )  # fmt: skip
    table = CollisionlessTable(config)
    trained, bystanders = np.arange(20_000), np.arange(20_000) + 10**6
    grads = np.ones((len(trained), 1), np.float32)

    def train(moment: int) -> None:
        handle = table.train_lookup(trained, time=moment).rows
        table.apply_gradients(handle, grads, lr=1.0)

    def take_over(moment: int) -> None:
        table.train_lookup(bystanders, time=moment)

    for n in range(1, 100):
        calls = (train, 1000 * n), (take_over, 1000 * n + 500)
        threads = [threading.Thread(target=call, args=(moment,)) for call, moment in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (table.lookup(bystanders, missing="zeros") == 0).all()


def test_training_in_threads_counts_every_occurrence():
    table = CollisionlessTable(TableConfig.of("t", 2))

    def train() -> None:
        for _ in range(50):
            handle = table.train_lookup(int64s(*range(200), 0)).rows
            table.apply_gradients(handle, np.zeros((201, 2), np.float32), lr=0.1)

    threads = [threading.Thread(target=train) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = columns(table)
    counts = dict(zip(held["ids"].tolist(), held["count"].tolist(), strict=True))
    assert counts == {i: 300 if i == 0 else 150 for i in range(200)}
    assert table.stats().admitted == 200
