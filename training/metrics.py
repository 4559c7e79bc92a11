"""How good predictions are: pure functions of labels and predicted log-odds.

Of no events at all, every figure is NaN; AUC is NaN as well where one class is absent.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Metrics(NamedTuple):
    """Figures of one set of events."""

    auc: float
    log_loss: float
    normalized_entropy: float
    calibration: float
    events: int


def evaluate(
    logits: NDArray[np.floating],
    labels: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> Metrics:
    """Computes every metric; `logits`, `labels` (0 or 1) and `weights` have shape (n,).

    Weights say how many events each stands for, where some were left out; AUC takes none of them,
    since leaving out negatives at random does not change it.
    """
    return Metrics(
        auc(logits, labels),
        log_loss(logits, labels, weights),
        normalized_entropy(logits, labels, weights),
        calibration(logits, labels, weights),
        len(labels),
    )


def auc(scores: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Gives the chance that a random positive outscores a random negative; a tie counts one half.

    Exact, by ranks: (sum of the positives' mid-ranks - P (P + 1) / 2) / (P * N).

    Example:
        >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
        0.875
    """
    positives = labels > 0
    num_positives = int(positives.sum())
    num_negatives = len(labels) - num_positives
    if not num_positives or not num_negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(mid_ranks[inverse][positives].sum())
    return (rank_sum - num_positives * (num_positives + 1) / 2) / (num_positives * num_negatives)


def log_loss(
    logits: NDArray[np.floating],
    labels: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """Gives the mean of -log p(label), in nats; finite for every finite logit, without clipping.

    Example:
        >>> round(log_loss(np.array([0.0, 0.0]), np.array([0, 1])), 4)
        0.6931
    """
    wide = logits.astype(np.float64)
    return _mean(np.logaddexp(0.0, wide) - labels * wide, weights)


def normalized_entropy(
    logits: NDArray[np.floating],
    labels: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """Divides the log loss by that of always predicting the events' own rate; below 1 is better.

    He et al., Practical Lessons from Predicting Clicks on Ads (ADKDD 2014), equation 1. NaN where
    one class is absent.

    Example:
        >>> normalized_entropy(np.array([0.0, 0.0]), np.array([0, 1]))
        1.0
    """
    rate = _mean(labels.astype(np.float64), weights)
    if not 0 < rate < 1:
        return float("nan")
    return float(
        log_loss(logits, labels, weights) / -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    )


def calibration(
    logits: NDArray[np.floating],
    labels: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """Divides the mean prediction by the mean label: 1 is unbiased; NaN without positives.

    Example:
        >>> calibration(np.array([0.0, 0.0]), np.array([0, 1]))
        1.0
    """
    rate = _mean(labels.astype(np.float64), weights)
    # tanh keeps the sigmoid finite for every logit
    return (
        _mean(0.5 * (1 + np.tanh(logits.astype(np.float64) / 2)), weights) / rate
        if rate > 0
        else float("nan")
    )


def _mean(values: NDArray[np.float64], weights: NDArray[np.floating] | None) -> float:
    if not len(values):
        return float("nan")
    return float(values.mean() if weights is None else np.average(values, weights=weights))
