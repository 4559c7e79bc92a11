"""How a relevance adapter is made: learned, and measured on queries that learning did not see."""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.retrieval.relevance import Adapter, Doubles, Floats, network_inputs
from recsys_embed.retrieval.relevance_learning import Fitting, Pairs, learn, log_loss

Metric = Literal["inner_product", "cosine"]
NONE = np.zeros(0)


class Fitted(NamedTuple):
    """An adapter and what it is worth, measured on queries that learning did not see.

    Attributes:
        adapter: with its curve, which is empty if nothing relevant was held out.
        log_loss: mean of a pair, in nats.
        global_log_loss: of the best map that is the same for all queries, learned alike.
        queries: how many it was measured on.
    """

    adapter: Adapter
    log_loss: float
    global_log_loss: float
    queries: int


def fit_adapter(
    queries: Floats,
    scores: Floats,
    relevant: NDArray[np.bool_],
    metric: Metric,
    fitting: Fitting | None = None,
) -> Fitted:
    """Learns which scores mean relevance, for each query.

    The probabilities hold for results like these: give what a search gives, in its proportions.

    Args:
        queries: float32 (Q, D).
        scores: float32 (Q, K), of K results of each query.
        relevant: bool (Q, K), which of them are relevant.
        metric: by which the index scores; under cosine the length of a query says nothing.
        fitting: how to learn; `Fitting()` if None.

    Raises:
        InputError: for shapes that do not fit, too few queries to hold some out, NaN or infinity,
            scores that are all the same, or results that are all relevant or all not.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> queries = rng.choice([-1, 1], (400, 1)).astype(np.float32)
        >>> scores = rng.random((400, 20), np.float32)
        >>> relevant = scores > np.where(queries > 0, 0.8, 0.3)  # one sort of query is pickier
        >>> fitted = fit_adapter(queries, scores, relevant, "inner_product")
        >>> fitted.log_loss < fitted.global_log_loss
        True
    """
    _check(queries, scores, relevant)
    bounds = np.array([scores.min(), scores.max()], np.float64)
    unit = np.array(metric == "cosine", np.uint8)
    u = (scores.astype(np.float64) - bounds[0]) / (bounds[1] - bounds[0])
    pairs = Pairs(network_inputs(queries, bool(unit)), u, relevant.astype(np.float64))
    fitting = fitting or Fitting()
    measured, stopping, learned = _parts(len(queries), fitting)
    found = learn(pairs.at(learned), pairs.at(stopping), fitting)
    blind = pairs._replace(inputs=pairs.inputs * _only_bias(pairs.inputs))
    same = learn(blind.at(learned), blind.at(stopping), fitting)
    adapter = Adapter(found[0], found[1], bounds, unit, NONE, NONE, NONE)
    probabilities = adapter.probability(queries[measured], scores[measured])
    curve = _curve(probabilities.ravel(), relevant[measured].ravel(), fitting.thresholds)
    return Fitted(
        dataclasses.replace(adapter, thresholds=curve[0], recall=curve[1], precision=curve[2]),
        log_loss(pairs.at(measured), found),
        log_loss(blind.at(measured), same),
        len(measured),
    )


def _parts(count: int, fitting: Fitting) -> list[NDArray[np.int64]]:
    """Gives the queries to measure with, those that stop learning, and those to learn from."""
    aside = max(1, round(count * fitting.held_out))
    if count <= 2 * aside:
        raise InputError(
            f"an adapter needs queries to learn from beside {2 * aside} held out, got {count}"
        )
    order = np.random.default_rng(fitting.seed).permutation(count)
    return np.split(order, [aside, 2 * aside])


def _curve(
    probabilities: Floats, relevant: NDArray[np.bool_], points: int
) -> tuple[Doubles, Doubles, Doubles]:
    """Gives thresholds, evenly spread over the relevant, and recall and precision of each."""
    if not relevant.any():
        return NONE, NONE, NONE
    of_relevant, every = np.sort(probabilities[relevant]), np.sort(probabilities)
    thresholds = np.quantile(of_relevant, np.linspace(0, 1, points), method="lower")
    found = len(of_relevant) - np.searchsorted(of_relevant, thresholds)
    kept = len(every) - np.searchsorted(every, thresholds)
    return thresholds.astype(np.float64), found / len(of_relevant), found / kept


def _only_bias(inputs: Doubles) -> Doubles:
    mask = np.zeros(inputs.shape[1])
    mask[-1] = 1
    return mask


def _check(queries: Floats, scores: Floats, relevant: NDArray[np.bool_]) -> None:
    shapes = queries.shape, scores.shape, relevant.shape
    if (
        queries.ndim != 2
        or scores.ndim != 2
        or shapes[1] != shapes[2]
        or len(scores) != len(queries)
    ):
        raise InputError(f"expected queries (Q, D), scores and relevant (Q, K), got {shapes}")
    if not (np.isfinite(queries).all() and np.isfinite(scores).all()):
        raise InputError("queries and scores must be finite, got NaN or infinity")
    if not scores.size or scores.min() == scores.max():
        raise InputError("an adapter is learned from scores that differ, got all the same")
    if relevant.all() or not relevant.any():
        raise InputError("an adapter needs relevant results and others, got one sort alone")
