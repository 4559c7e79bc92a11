"""Splits by their laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError, InputError
from training.events import Events
from training.splits import ColumnSplit, Parts, RandomSplit, SplitConfig, TimeSplit

TIMES = st.lists(st.integers(0, 12), max_size=60).map(sorted)
SHARES = st.sampled_from([(0.0, 0.0), (0.1, 0.2), (0.0, 0.5), (0.4, 0.4)])


def events_at(times: list[int]) -> Events:
    frame = pl.DataFrame(
        {"part": [["train", "validation", "test", "other"][t % 4] for t in times]},
        schema={"part": pl.String},
    )
    n = len(times)
    return Events(
        {}, np.zeros((n, 0), np.float32), np.zeros(n, np.float32), np.array(times, np.int64), frame
    )


def assert_apart(parts: Parts, n: int) -> None:
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together) and np.all((0 <= together) & (together < n))


@given(TIMES, SHARES)
def test_a_time_split_never_lets_a_moment_or_the_future_into_an_earlier_part(
    times: list[int], shares: tuple[float, float]
) -> None:
    parts = TimeSplit(*shares).parts(events_at(times))
    assert_apart(parts, len(times))
    assert sum(map(len, parts)) == len(times)
    stretches = [np.array(times)[part] for part in parts if len(part)]
    assert all(a.max() < b.min() for a, b in zip(stretches, stretches[1:], strict=False))


def test_a_time_split_has_the_asked_shares_where_times_are_distinct() -> None:
    assert [len(p) for p in TimeSplit(0.2, 0.1).parts(events_at(list(range(50))))] == [35, 10, 5]


@given(st.integers(0, 60), SHARES, st.integers(0, 3))
def test_a_random_split_deals_every_event_once_and_alike(
    n: int, shares: tuple[float, float], seed: int
) -> None:
    split = RandomSplit(*shares, seed=seed)
    first, second = split.parts(events_at(list(range(n)))), split.parts(events_at(list(range(n))))
    assert_apart(first, n)
    assert [len(first.validation), len(first.test)] == [round(n * s) for s in shares]
    assert sum(map(len, first)) == n
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_deals_otherwise() -> None:
    one, two = (RandomSplit(0.3, 0.3, seed).parts(events_at(list(range(100)))) for seed in (1, 2))
    assert not np.array_equal(one.test, two.test)


def test_a_column_names_the_parts() -> None:
    parts = ColumnSplit().parts(events_at([0, 1, 2, 3, 4, 6]))
    assert [p.tolist() for p in parts] == [[0, 4], [1], [2, 5]]
    assert not len(ColumnSplit(validation=None).parts(events_at([0, 1])).validation)


def test_a_column_without_a_train_part_is_refused() -> None:
    with pytest.raises(InputError, match="no event has part = 'train'; its values are"):
        ColumnSplit().parts(events_at([1, 2]))


def test_a_time_split_needs_times() -> None:
    events = events_at([1])
    with pytest.raises(InputError, match=r"needs events\.time"):
        TimeSplit().parts(Events(events.bags, events.dense, events.labels, None, events.frame))


@pytest.mark.parametrize("split", [TimeSplit, RandomSplit])
def test_shares_that_leave_nothing_to_train_on_are_refused(split: type[SplitConfig]) -> None:
    with pytest.raises(ConfigError, match="leave something to train on"):
        split(validation=0.5, test=0.5)
