"""Batches hold the events they were asked for, as a KeyedJaggedTensor."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.bags import Bags
from training.batches import Batch, batches, make_batch
from training.events import Events


def events_of(n: int = 5, weights: np.ndarray | None = None) -> Events:
    one = Bags(np.arange(n), np.arange(n), np.ones(n, np.int64))
    lengths = np.arange(n) % 3
    many = Bags(np.arange(100, 100 + lengths.sum()), np.cumsum(lengths) - lengths, lengths, weights)
    dense, labels = (
        np.arange(2 * n, dtype=np.float32).reshape(n, 2),
        (np.arange(n) % 2).astype(np.float32),
    )
    return Events({"one": one, "many": many}, dense, labels, np.arange(n) * 10, pl.DataFrame())


def values_of(made: Iterable[Batch]) -> list[list[int]]:
    return [batch.bags["one"].values().tolist() for batch in made]


def test_a_batch_holds_the_chosen_events_in_the_chosen_order() -> None:
    batch = make_batch(events_of(), np.array([4, 2, 0]), ["many", "one"])
    assert batch.bags.keys() == ["many", "one"]
    assert batch.bags.lengths().tolist() == [1, 2, 0, 1, 1, 1]
    assert batch.bags.values().tolist() == [103, 101, 102, 4, 2, 0]
    torch.testing.assert_close(batch.dense, torch.tensor([[8.0, 9], [4, 5], [0, 1]]))
    assert batch.labels.tolist() == [0, 0, 0] and batch.time == 40


def test_an_id_without_a_weight_counts_once() -> None:
    weights = np.array([0.5, 2, 3, 4], np.float32)
    batch = make_batch(events_of(weights=weights), np.array([2, 1]), ["one", "many"])
    assert batch.bags.weights().tolist() == [1, 1, 2, 3, 0.5]


def test_batches_cover_the_order_once_and_may_start_anywhere() -> None:
    events, order = events_of(), np.array([3, 1, 4, 0, 2])
    whole = values_of(batches(events, order, 2, ["one"]))
    assert whole == [[3, 1], [4, 0, 2]]
    assert values_of(batches(events, order, 2, ["one"], start=1)) == whole[1:]
    assert not values_of(batches(events, order, 2, ["one"], start=2))


@given(st.integers(0, 12), st.integers(1, 5))
def test_no_batch_is_empty_and_none_has_one_event_unless_asked(n: int, size: int) -> None:
    sizes = [len(ids) for ids in values_of(batches(events_of(n), np.arange(n), size, ["one"]))]
    assert sum(sizes) == n and all(s <= size + 1 for s in sizes)
    assert n == 1 or size == 1 or not {0, 1} & set(sizes)
