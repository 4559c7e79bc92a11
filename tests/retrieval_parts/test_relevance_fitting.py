"""An adapter finds the map of each query that was planted, and says what it is worth on others."""

from typing import Any

import numpy as np
import pytest

from recsys_embed import ConfigError, InputError
from recsys_embed.retrieval.relevance_fitting import Fitted, fit_adapter
from recsys_embed.retrieval.relevance_learning import Fitting, Pairs, gradients, log_loss

DIM = 4


def planted(seed: int, count: int = 1500) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Queries, scores, true probabilities of being relevant, and what chance made of them.

    One direction of a query says where its good results begin, another how sharply.
    """
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(count, DIM)).astype(np.float32)
    scores = rng.random((count, 20), np.float32)
    begins = 0.5 + 0.3 * np.tanh(queries[:, :1])
    sharply = np.where(queries[:, 1:2] > 0, 25, 8)
    probabilities = 1 / (1 + np.exp(-sharply * (scores - begins)))
    return queries, scores, probabilities, rng.random(scores.shape) < probabilities


def loss(probabilities: np.ndarray, relevant: np.ndarray) -> float:
    right = np.where(relevant, probabilities, 1 - probabilities)
    return float(-np.log(right).mean())


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    queries, scores, _, relevant = planted(1)
    return fit_adapter(queries, scores, relevant, "inner_product")


def test_a_map_of_each_query_beats_one_of_all(fitted: Fitted) -> None:
    assert fitted.queries == 150
    assert fitted.log_loss < 0.8 * fitted.global_log_loss


def test_it_comes_near_the_truth_on_queries_of_another_day(fitted: Fitted) -> None:
    queries, scores, truth, relevant = planted(2)
    found = fitted.adapter.probability(queries, scores)
    assert loss(found, relevant) < 1.08 * loss(truth, relevant)
    assert loss(found, relevant) == pytest.approx(fitted.log_loss, rel=0.1)


def test_of_those_with_a_probability_so_many_are_relevant(fitted: Fitted) -> None:
    queries, scores, _, relevant = planted(3)
    found = fitted.adapter.probability(queries, scores)
    for low in np.arange(0, 1, 0.2):
        among = (found >= low) & (found < low + 0.2)
        assert relevant[among].mean() == pytest.approx(found[among].mean(), abs=0.04)


def test_where_few_are_relevant_the_best_are_told_from_the_rest() -> None:
    """As in recommendations: one in four of the first is bought, one in 25 of the last."""
    rng = np.random.default_rng(8)
    queries = rng.normal(size=(1500, DIM)).astype(np.float32)
    scores = np.sort(rng.random((1500, 50), np.float32), axis=1)[:, ::-1]
    truth = 1 / (1 + np.exp(3.2 - 2 * scores.astype(np.float64) ** 4))
    relevant = rng.random(scores.shape) < truth
    fitted = fit_adapter(queries[:1000], scores[:1000], relevant[:1000], "cosine")
    found = fitted.adapter.probability(queries[1000:], scores[1000:])
    for place in (0, 10, 25, 49):
        assert found[:, place].mean() == pytest.approx(truth[1000:, place].mean(), rel=0.25)
    constant = loss(np.full(found.shape, relevant.mean()), relevant[1000:])
    assert loss(found, relevant[1000:]) < 0.99 * constant


@pytest.mark.parametrize("recall", [0.5, 0.8, 0.95])
def test_a_threshold_keeps_the_recall_on_queries_of_another_day(
    fitted: Fitted, recall: float
) -> None:
    queries, scores, _, relevant = planted(4)
    kept = fitted.adapter.probability(queries, scores) >= fitted.adapter.threshold(recall)
    assert kept[relevant].mean() == pytest.approx(recall, abs=0.03)


def test_the_curve_says_what_its_thresholds_keep() -> None:
    queries, scores, _, relevant = planted(5, count=60)
    fitting = Fitting(epochs=2, held_out=0.4, seed=7, thresholds=9)
    adapter = fit_adapter(queries, scores, relevant, "cosine", fitting).adapter
    measured = np.random.default_rng(7).permutation(60)[:24]
    found, good = adapter.probability(queries[measured], scores[measured]), relevant[measured]
    assert len(adapter.thresholds) == 9
    assert (adapter.recall[0], adapter.thresholds[0]) == (1, found[good].min())
    for threshold, recall, precision in zip(
        adapter.thresholds, adapter.recall, adapter.precision, strict=True
    ):
        kept = found >= threshold
        assert recall == pytest.approx((kept & good).sum() / good.sum())
        assert precision == pytest.approx((kept & good).sum() / kept.sum())


def test_without_relevant_results_held_out_there_is_no_curve() -> None:
    measured = np.random.default_rng(0).permutation(20)[:2]
    learned = GOOD & ~np.isin(np.arange(20), measured)[:, None]
    adapter = fit_adapter(Q, S, learned, "cosine").adapter
    assert len(adapter.thresholds) == 0 and adapter.threshold(0.9) == 0


def test_scores_below_nothing_are_told_apart() -> None:
    """Inner products may all be negative; what counts is where they lie among those seen."""
    queries, scores, _, relevant = planted(6, count=400)
    shifted = (scores - 7) * 30
    fitted = fit_adapter(queries, shifted, relevant, "inner_product")
    assert fitted.log_loss < 0.9 * fitted.global_log_loss
    assert (np.diff(np.sort(fitted.adapter.probability(queries[:1], shifted[:1]))) > 0).all()


def test_learning_twice_gives_the_same_adapter() -> None:
    queries, scores, _, relevant = planted(7, count=100)
    one, other = (
        fit_adapter(queries, scores, relevant, "cosine", Fitting(epochs=2)).adapter.arrays()
        for _ in range(2)
    )
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_gradients_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(11)
    pairs = Pairs(
        rng.normal(size=(6, DIM + 1)), rng.random((6, 5)), (rng.random((6, 5)) < 0.5) * 1.0
    )
    pairs.scores[0, 0] = 0  # the logarithm of the lowest score
    parameters = [rng.normal(size=(DIM + 1, 3)), rng.normal(size=(4, 3))]
    for at, gradient in enumerate(gradients(pairs, parameters)):
        for place in np.ndindex(gradient.shape):
            losses = []
            for step in (1e-6, -1e-6):
                moved = [p.copy() for p in parameters]
                moved[at][place] += step
                losses.append(log_loss(pairs, moved))
            assert gradient[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-7)


Q, S = np.ones((20, 2), np.float32), np.tile(np.array([0, 1], np.float32), (20, 1))
GOOD = S > 0
REFUSED: dict[str, tuple[Any, str]] = {
    "other results": ((Q, S, GOOD[:, :1]), r"got \(\(20, 2\), \(20, 2\), \(20, 1\)\)"),
    "other queries": ((Q[:3], S, GOOD), r"got \(\(3, 2\)"),
    "NaN": ((Q * np.nan, S, GOOD), "must be finite"),
    "scores all the same": ((Q, S * 0, GOOD), "scores that differ"),
    "no results": ((Q, S[:, :0], GOOD[:, :0]), "scores that differ"),
    "nothing relevant": ((Q, S, GOOD & False), "one sort alone"),
    "all relevant": ((Q, S, GOOD | True), "one sort alone"),
    "too few to hold out": ((Q[:2], S[:2], GOOD[:2]), "beside 2 held out, got 2"),
}


@pytest.mark.parametrize(("given", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_no_adapter_can_be_learned_from_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        fit_adapter(*given, "cosine")


@pytest.mark.parametrize("bad", [{"held_out": 0.5}, {"held_out": 0}, {"epochs": 0}, {"rate": -1}])
def test_a_way_of_learning_that_is_none_is_refused(bad: dict[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(ConfigError, match=f"{name} must be .* got {bad[name]}"):
        Fitting(**bad)
