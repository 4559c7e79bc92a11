"""Sampled negatives hold to their rules, whatever the log."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError
from training.negatives import DAY_S, Negatives

EVENTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(0, 5)), max_size=40)


def frame_of(events: list[tuple[int, int, int]]) -> pl.DataFrame:
    schema = {"day": pl.Int64, "who": pl.Int64, "item": pl.Int64}
    return pl.DataFrame(sorted(events), schema=schema, orient="row")


@given(EVENTS, st.integers(1, 3))
def test_an_item_comes_from_the_window_before_and_not_from_the_same_basket(
    events: list[tuple[int, int, int]], per_positive: int
) -> None:
    frame = frame_of(events)
    times = frame["day"].to_numpy() * DAY_S
    rules = Negatives("item", "who", per_positive=per_positive, window_days=5)
    asked, standing_in = rules.draw(frame, times)
    assert np.all(np.diff(asked) >= 0) and np.bincount(asked, minlength=1).max() <= per_positive
    baskets = set(frame.rows())
    for event, other in zip(asked.tolist(), standing_in.tolist(), strict=True):
        (day, who, _), (other_day, _, item) = frame.row(event), frame.row(other)
        assert day - 5 <= other_day < day
        assert (day, who, item) not in baskets


@given(EVENTS)
def test_every_event_with_a_free_item_in_its_past_gets_a_negative(
    events: list[tuple[int, int, int]],
) -> None:
    frame = frame_of(events)
    asked, _ = Negatives("item", "who", window_days=5).draw(frame, frame["day"].to_numpy() * DAY_S)
    for number, (day, who, _) in enumerate(frame.rows()):
        past = {i for d, _, i in frame.rows() if day - 5 <= d < day}
        own = {i for d, w, i in frame.rows() if d == day and w == who}
        assert (number in asked.tolist()) == bool(past - own)


@pytest.mark.parametrize(("power", "share"), [(1.0, 0.9), (0.0, 0.5)])
def test_power_sets_how_much_frequency_counts(power: float, share: float) -> None:
    # Nine of ten past events are of item 1, the others of item 2; item 0 is who asks.
    past = [(0, 0, 1)] * 900 + [(0, 0, 2)] * 100
    frame = frame_of(past + [(1, who, 0) for who in range(4000)])
    rules = Negatives("item", "who", window_days=30, power=power)
    _, standing_in = rules.draw(frame, frame["day"].to_numpy() * DAY_S)
    drawn = frame["item"].to_numpy()[standing_in]
    # 4000 draws: five standard errors are 0.04
    np.testing.assert_allclose((drawn == 1).mean(), share, atol=0.04)


def test_the_same_seed_draws_the_same() -> None:
    frame = frame_of([(d, 0, d % 4) for d in range(30)])
    times = frame["day"].to_numpy() * DAY_S
    one, two, other = (Negatives("item", "who", seed=s).draw(frame, times)[1] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_rules_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"power in \[0, 1\]"):
        Negatives("item", "who", power=1.5)
