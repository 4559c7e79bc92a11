"""Retrieval in closed form: a user's pairs, smoothed over the graph of all pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.utils.extmath import randomized_svd

from recsys_embed.errors import ConfigError, InputError
from training.retrieval.interactions import Int, Interactions, Pairs

BLOCK = 256
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Filter:
    """Says how a graph filter smooths.

    Args:
        before: power of an item's pairs that its part in a history is divided by.
        after: power of an item's pairs that its score is divided by; less favours popular items.
        ideal: weight of the part of the graph's lowest frequencies.
        frequencies: how many of these there are.
    """

    before: float = 0.5
    after: float = 0.5
    ideal: float = 0.3
    frequencies: int = 256

    def __post_init__(self) -> None:
        if self.ideal < 0 or self.frequencies < 1:
            raise ConfigError(
                "a graph filter needs ideal >= 0 and frequencies >= 1, got"
                f" {self.ideal} and {self.frequencies}"
            )


class GraphFilter:
    """Scores of a user with pairs r (I,) are r (D^-b R^T D_u^-1 R D^-a + w D^-1/2 V V^T D^1/2).

    R are the train pairs, D_u and D the degrees of users and items, V (I, k) the first right
    singular vectors of D_u^-1/2 R D^-1/2. With b = a = 1/2 it is GF-CF: Shen et al., How Powerful
    is Graph Convolution for Recommendation?, CIKM 2021, arXiv 2108.07567, §4. With w = 0 and b = 1
    it is a walk of three steps that ends at popular items less often: Paudel et al., Updatable,
    Accurate, Diverse, and Scalable Recommendations for Interactive Applications, TiiS 2017, RP3b.

    Args:
        interactions: whose train part is the graph.
        config: powers, and weight and number of the lowest frequencies.
        seed: of the search for singular vectors.

    Raises:
        InputError: if there are no more users or items than frequencies.
    """

    def __init__(self, interactions: Interactions, config: Filter, seed: int = 0) -> None:
        shape = interactions.num_users, interactions.num_items
        if min(shape) <= config.frequencies:
            raise InputError(
                f"{config.frequencies} frequencies need more users and more items than that, got"
                f" {shape[0]:,} and {shape[1]:,}"
            )
        self._pairs = pairs = _matrix(interactions.train, shape)
        users, items = (np.maximum(pairs.sum(axis), 1).A1.astype(np.float32) for axis in (1, 0))
        self._before = diags(items**-config.before)
        self._back = pairs.T.tocsr()
        self._forth = (diags(1 / users) @ pairs @ diags(items**-config.after)).tocsr()
        self._weight, self._roots = np.float32(config.ideal), np.sqrt(items)
        self._lowest: Scores = np.zeros((0, shape[1]), np.float32)
        if config.ideal:
            scaled = diags(users**-0.5) @ pairs @ diags(items**-0.5)
            self._lowest = randomized_svd(scaled, config.frequencies, n_iter=6, random_state=seed)[
                2
            ]

    @property
    def num_parameters(self) -> int:
        """Numbers that are held: pairs, degrees and frequencies."""
        return int(self._pairs.nnz) + sum(self._pairs.shape) + self._lowest.size

    def scores(self, users: Int) -> Scores:
        """Gives the scores (n, I) of users (n,)."""
        own = self._pairs[users]
        near: Scores = ((own @ self._before) @ self._back @ self._forth).toarray()
        if not len(self._lowest):
            return near
        smooth = ((own @ diags(1 / self._roots)) @ self._lowest.T) @ self._lowest
        return near + self._weight * smooth * self._roots

    def best_items(self, users: Int, k: int) -> Int:
        """Gives the k items of highest score that are not among each user's pairs, (n, k).

        Raises:
            InputError: if k is not in [1, I).
        """
        num_items = self._pairs.shape[1]
        if not 1 <= k < num_items:
            raise InputError(f"k must be in [1, {num_items}), below the number of items, got {k}")
        blocks = [self._best(users[at : at + BLOCK], k) for at in range(0, len(users), BLOCK)]
        return np.concatenate([np.empty((0, k), np.int64), *blocks])

    def _best(self, users: Int, k: int) -> Int:
        scores = self.scores(users)
        scores[self._pairs[users].nonzero()] = -np.inf
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1)


def _matrix(pairs: Pairs, shape: tuple[int, int]) -> csr_matrix:
    ones = np.ones(len(pairs.users), np.float32)
    return csr_matrix((ones, (pairs.users, pairs.items)), shape=shape)
