"""Histories against a slow, obvious count."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError, InputError
from tests.training.test_bags import listed
from training.history import History

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["ann", "bob", None]), st.integers(0, 9)),
    max_size=25,
)


@given(EVENTS, st.integers(1, 4))
def test_a_history_is_the_last_values_of_strictly_earlier_events(
    events: list[tuple[int, str | None, int]], last: int
) -> None:
    events = sorted(events, key=lambda e: e[0])
    frame = pl.DataFrame(
        events, schema={"t": pl.Int64, "who": pl.String, "what": pl.Int64}, orient="row"
    )
    bags = History("what", "who", last).bags(frame, frame["t"].to_numpy())
    expected = [
        [w for at, other, w in events if other == who and at < t][-last:] if who else []
        for t, who, _ in events
    ]
    assert listed(bags, list(range(len(events)))) == expected


@given(EVENTS, st.integers(1, 4))
def test_only_events_above_zero_are_remembered(
    events: list[tuple[int, str | None, int]], last: int
) -> None:
    events = sorted(events, key=lambda e: e[0])
    frame = pl.DataFrame(
        events, schema={"t": pl.Int64, "who": pl.String, "what": pl.Int64}, orient="row"
    ).with_columns(liked=pl.col("what") % 3 - 1)
    bags = History("what", "who", last, only="liked").bags(frame, frame["t"].to_numpy())
    expected = [
        [w for at, other, w in events if other == who and at < t and w % 3 > 1][-last:]
        if who
        else []
        for t, who, _ in events
    ]
    assert listed(bags, list(range(len(events)))) == expected


@pytest.mark.parametrize(("only", "message"), [("who", "holds String"), ("hwo", "did you mean")])
def test_only_must_name_numbers(only: str, message: str) -> None:
    frame = pl.DataFrame({"who": ["ann"], "what": [1]})
    with pytest.raises(InputError, match=message):
        History("what", "who", only=only).bags(frame, np.zeros(1, np.int64))


def test_values_that_are_missing_are_refused() -> None:
    frame = pl.DataFrame({"who": [1], "what": pl.Series([None], dtype=pl.Int64)})
    with pytest.raises(InputError, match="misses values"):
        History("what", "who").bags(frame, np.zeros(1, np.int64))


def test_a_history_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        History("what", "who", last=0)
