"""Sampled negatives: the same ones always, and the odds of the whole stream in the model."""

import math

import numpy as np
import polars as pl
import pytest

from recsys_embed.errors import ConfigError
from training.online.sampling import NegativeSampling


def events_of(labels: np.ndarray) -> pl.DataFrame:
    keys = pl.Series("key", range(len(labels))).cast(pl.String)
    return pl.DataFrame([keys, pl.Series("label", labels.astype(np.float32))])


@pytest.mark.parametrize("rate", [1.0, 0.3, 0.01])
def test_positives_stay_and_negatives_stay_at_the_rate(
    rate: float, rng: np.random.Generator
) -> None:
    labels = rng.random(100_000) < 0.1
    kept = NegativeSampling(rate, seed=1).kept(events_of(labels))
    assert kept[labels].all()
    deviation = math.sqrt(rate * (1 - rate) / (~labels).sum())
    assert abs(kept[~labels].mean() - rate) <= 4 * deviation


def test_what_is_kept_depends_on_key_and_seed_alone(rng: np.random.Generator) -> None:
    events = events_of(rng.random(1000) < 0.1)
    kept = NegativeSampling(0.5, seed=1).kept(events)
    order = rng.permutation(1000)
    again = [NegativeSampling(0.5, seed=1).kept(part) for part in events[order].iter_slices(7)]
    assert np.array_equal(np.concatenate(again), kept[order])
    other = NegativeSampling(0.5, seed=2).kept(events)
    assert 0.4 < (other == kept)[events["label"].to_numpy() == 0].mean() < 0.6


@pytest.mark.parametrize("rate", [0.5, 0.05])
def test_a_model_trained_with_the_offset_has_the_odds_of_the_whole_stream(
    rate: float, rng: np.random.Generator
) -> None:
    """One logit a group, fitted by Newton's method on what is kept, beside the planted ones."""
    planted = np.array([-3.0, -1.0, 0.5])
    n = 200_000
    groups = rng.integers(0, 3, n)
    labels = rng.random(n) < 1 / (1 + np.exp(-planted[groups]))
    sampling = NegativeSampling(rate)
    kept = sampling.kept(events_of(labels))
    logits = np.zeros(3)
    for _ in range(60):
        predicted = 1 / (1 + np.exp(-(logits + sampling.offset)))
        slope = np.bincount(groups[kept], labels[kept] - predicted[groups[kept]], minlength=3)
        steepness = np.bincount(groups[kept], minlength=3) * predicted * (1 - predicted)
        logits += np.clip(slope / steepness, -1, 1)
    positives = np.bincount(groups[labels], minlength=3)
    negatives = np.bincount(groups[kept & ~labels], minlength=3)
    deviation = np.sqrt(1 / positives + 1 / negatives)
    assert np.all(np.abs(logits - planted) < 4 * deviation)


def test_weighted_figures_are_those_of_the_whole_stream(rng: np.random.Generator) -> None:
    labels = rng.random(200_000) < 0.1
    guess = np.where(labels, 0.3, 0.1) + rng.random(200_000) * 0.2
    losses = -np.where(labels, np.log(guess), np.log(1 - guess))
    sampling = NegativeSampling(0.2)
    kept = sampling.kept(events_of(labels))
    weights = sampling.weights(labels[kept].astype(np.float32))
    assert np.average(losses[kept], weights=weights) == pytest.approx(losses.mean(), rel=0.01)
    assert weights.sum() == pytest.approx(len(labels), rel=0.02)


def test_a_rate_beyond_one_is_refused() -> None:
    for rate in (0.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="0 < rate <= 1"):
            NegativeSampling(rate)
