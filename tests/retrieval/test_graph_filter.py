"""A graph filter is the formula, spelled out densely, over any graph."""

import numpy as np
import pytest

from recsys_embed.errors import ConfigError, InputError
from training.retrieval.graph_filter import Filter, GraphFilter
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs


def drawn(users: int, items: int, share: float, seed: int) -> Interactions:
    cells = np.random.default_rng(seed).random((users, items)) < share
    return Interactions(users, items, Pairs(*cells.nonzero()), NO_PAIRS, NO_PAIRS)


def dense(interactions: Interactions, config: Filter) -> np.ndarray:
    pairs = np.zeros((interactions.num_users, interactions.num_items))
    pairs[interactions.train] = 1
    users, items = (np.maximum(pairs.sum(axis), 1) for axis in (1, 0))
    found = np.zeros((interactions.num_users, interactions.num_items))
    lowest = np.linalg.svd(pairs / np.sqrt(np.outer(users, items)))[2][: config.frequencies]
    for user, item in np.ndindex(found.shape):
        for own in np.flatnonzero(pairs[user]):
            met = pairs[:, own] * pairs[:, item] / users
            found[user, item] += (
                met.sum() / items[own] ** config.before / items[item] ** config.after
            )
            ideal = lowest[:, own] @ lowest[:, item] * np.sqrt(items[item] / items[own])
            found[user, item] += config.ideal * ideal
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "config", [Filter(0.5, 0.5, 0.3, 4), Filter(0.5, 0.5, 0.0, 4), Filter(0.75, 0.25, 0.1, 4)]
)
def test_scores_are_those_of_the_formula(seed: int, config: Filter) -> None:
    graph = drawn(30, 20, share=0.2, seed=seed)
    ours = GraphFilter(graph, config)
    np.testing.assert_allclose(
        ours.scores(np.arange(30)), dense(graph, config), rtol=1e-3, atol=1e-4
    )


def test_the_best_are_not_those_a_user_has() -> None:
    graph, users = drawn(300, 40, share=0.1, seed=1), np.arange(300)
    ours = GraphFilter(graph, Filter(frequencies=8))
    scores = ours.scores(users)
    scores[graph.train] = -np.inf
    best = np.take_along_axis(scores, ours.best_items(users, k=10), axis=1)
    np.testing.assert_array_equal(best, np.sort(scores, axis=1)[:, ::-1][:, :10])


def test_who_has_no_pairs_has_no_scores() -> None:
    graph = drawn(30, 20, share=0.2, seed=0)
    kept = graph.train.only(graph.train.users != 7)
    ours = GraphFilter(Interactions(30, 20, kept, NO_PAIRS, NO_PAIRS), Filter(frequencies=4))
    assert not ours.scores(np.array([7])).any()
    assert ours.best_items(np.empty(0, np.int64), k=3).shape == (0, 3)


def test_what_it_refuses() -> None:
    graph = drawn(30, 20, share=0.2, seed=0)
    with pytest.raises(InputError, match="20 frequencies need more users and more items"):
        GraphFilter(graph, Filter(frequencies=20))
    with pytest.raises(InputError, match=r"k must be in \[1, 20\)"):
        GraphFilter(graph, Filter(frequencies=4)).best_items(np.arange(3), k=20)
    with pytest.raises(ConfigError, match="ideal >= 0"):
        Filter(ideal=-1)
