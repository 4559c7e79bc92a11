"""Streaming shares against counting, against the paper's recurrence, and against collisions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from tests.reference.frequency import Distances
from training.retrieval.frequency import StreamingFrequency


def stream(shares: np.ndarray, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(len(shares), length, p=shares)


@pytest.mark.parametrize("batch", [1, 64, 2048])
def test_shares_converge_to_those_planted(batch: int) -> None:
    shares = np.array([0.5, 0.2, 0.15, 0.1, 0.04, 0.01])
    frequency = StreamingFrequency(buckets=1000, rate=0.0005)
    events = stream(shares, 100_000 if batch > 1 else 4_000)
    for start in range(0, len(events), batch):
        frequency.update(events[start : start + batch])
    tolerance = 0.08 if batch > 1 else 0.25
    assert frequency.shares(np.arange(5)) == pytest.approx(shares[:5], rel=tolerance)
    assert np.exp(frequency.log_q(np.arange(5))) == pytest.approx(frequency.shares(np.arange(5)))


def test_shares_follow_a_stream_that_changes() -> None:
    before, after = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    frequency = StreamingFrequency(buckets=1000, rate=0.02)
    for shares in (before, after):
        for k in range(100):
            frequency.update(stream(shares, 100, seed=k))
        assert frequency.shares(np.arange(2)) == pytest.approx(shares, abs=0.06)


@given(st.lists(st.integers(0, 5), max_size=60), st.floats(0.01, 1))
def test_one_by_one_it_is_the_recurrence(events: list[int], rate: float) -> None:
    frequency, slow = StreamingFrequency(buckets=10_000, arrays=1, rate=rate), Distances(rate)
    for event in events:
        frequency.update(np.array([event]))
        slow.update(event)
    distances = [slow.distance.get(i, len(events) + 1) for i in range(6)]
    expected = 1 / np.maximum(distances, 1.0)
    assert frequency.shares(np.arange(6)) == pytest.approx(expected)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40), st.integers(1, 40))
def test_young_shares_are_counts_however_batches_are_cut(events: list[int], size: int) -> None:
    frequency = StreamingFrequency(buckets=100_000, rate=1e-9)
    ids = np.array(events, np.int64)
    for start in range(0, len(ids), size):
        frequency.update(ids[start : start + size])
    assert frequency.occurrences == len(ids)
    for event in set(events):
        last = len(events) - events[::-1].index(event)
        assert frequency.shares(np.array([event]))[0] == pytest.approx(events.count(event) / last)


def test_several_arrays_tell_apart_what_one_confuses() -> None:
    ids = np.arange(2000)
    errors = []
    for arrays in (1, 4):
        frequency = StreamingFrequency(buckets=2000, arrays=arrays)
        for seed in range(20):
            frequency.update(np.random.default_rng(seed).permutation(ids))
        errors.append(np.abs(frequency.shares(ids) * len(ids) - 1).mean())
    assert errors[1] < errors[0] / 2


def test_nothing_seen_and_nothing_asked() -> None:
    frequency = StreamingFrequency(buckets=4)
    assert frequency.shares(np.array([3])).tolist() == [1.0]
    frequency.update(np.empty(0, np.int64))
    assert frequency.shares(np.empty(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("wrong", [{"buckets": 0}, {"arrays": 0}, {"rate": 0.0}, {"rate": 1.1}])
def test_what_cannot_estimate_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="got"):
        StreamingFrequency(**wrong)
