"""Metrics against brute force, and figures that can be checked by hand."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import auc, calibration, evaluate, log_loss, normalized_entropy

SCORED = st.lists(
    st.tuples(st.sampled_from([-2.0, -0.5, 0.0, 0.25, 3.0]), st.integers(0, 1)), max_size=40
)


def brute_force_auc(scores: list[float], labels: list[int]) -> float:
    positives = [s for s, y in zip(scores, labels, strict=True) if y]
    negatives = [s for s, y in zip(scores, labels, strict=True) if not y]
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


@given(SCORED)
def test_auc_counts_pairs_in_order_with_ties_as_half(scored: list[tuple[float, int]]) -> None:
    scores, labels = [s for s, _ in scored], [y for _, y in scored]
    got = auc(np.array(scores, np.float64), np.array(labels, np.float64))
    if len(set(labels)) < 2:
        assert math.isnan(got)
    else:
        np.testing.assert_allclose(got, brute_force_auc(scores, labels), rtol=1e-12)


@given(SCORED.filter(bool))
def test_log_loss_is_the_mean_negative_log_likelihood(scored: list[tuple[float, int]]) -> None:
    logits, labels = np.array([s for s, _ in scored]), np.array([y for _, y in scored])
    chances = 1 / (1 + np.exp(-logits))
    expected = -np.mean([math.log(p if y else 1 - p) for p, y in zip(chances, labels, strict=True)])
    np.testing.assert_allclose(log_loss(logits, labels), expected, rtol=1e-12)


def test_log_loss_of_a_wrong_certainty_is_finite() -> None:
    assert log_loss(np.array([1000.0], np.float32), np.array([0.0])) == 1000.0
    assert log_loss(np.array([-1000.0], np.float32), np.array([0.0])) == 0.0


def test_predicting_the_base_rate_gives_a_normalized_entropy_of_one_and_is_calibrated() -> None:
    labels = np.array([1.0, 0, 0, 0])
    logits = np.full(4, math.log(0.25 / 0.75))
    np.testing.assert_allclose(normalized_entropy(logits, labels), 1.0, rtol=1e-12)
    np.testing.assert_allclose(calibration(logits, labels), 1.0, rtol=1e-12)


def test_calibration_is_the_mean_prediction_over_the_mean_label() -> None:
    logits = np.array([0.0, math.log(3)])  # chances 1/2 and 3/4
    np.testing.assert_allclose(calibration(logits, np.array([1.0, 0.0])), 0.625 / 0.5, rtol=1e-12)


def test_no_events_give_no_figures() -> None:
    metrics = evaluate(np.zeros(0, np.float32), np.zeros(0, np.float32))
    assert all(math.isnan(value) for value in metrics[:4]) and metrics.events == 0


def test_one_class_alone_gives_no_auc_and_no_entropy() -> None:
    metrics = evaluate(np.zeros(3), np.ones(3))
    assert math.isnan(metrics.auc) and math.isnan(metrics.normalized_entropy)
    np.testing.assert_allclose(metrics.calibration, 0.5)
