"""What the K items recommended to each user are worth: found, for whom, and how many others."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from training.retrieval.interactions import Int, Pairs
from training.retrieval.ranking import hits_of, measures
from training.segments import segments


class Found(NamedTuple):
    """Means over the users that have relevant items; NaN if nobody has.

    Args:
        recall: relevant items found / relevant items.
        ndcg: with gains 1 / log2(place + 1), over those of the best order.
        hit_rate: the share of users with anything found.
        users: over how many.
    """

    recall: float
    ndcg: float
    hit_rate: float
    users: int


class Evaluation(NamedTuple):
    """What was recommended to whom, in figures.

    Args:
        all: over all relevant items.
        segments: the same where only items of a segment are relevant, by "head", "torso", "tail"
            (a quarter, a half and a quarter of the train pairs) and "unseen" (none of them).
        coverage: the share of all items that anybody gets.
        popularity: train pairs of a recommended item, on average. Abdollahpouri et al., arXiv
            1901.07555.
        consumed_popularity: train pairs of a relevant item, on average.
        gini: of how often each item is recommended; 0 if all alike, near 1 if few get everything.
    """

    all: Found
    segments: Mapping[str, Found]
    coverage: float
    popularity: float
    consumed_popularity: float
    gini: float

    @property
    def popularity_bias(self) -> float:
        """How many times as popular as what users take is what they are recommended."""
        return self.popularity / self.consumed_popularity if self.consumed_popularity else np.nan


def evaluate(best: Int, users: Int, relevant: Pairs, shown: Int, num_items: int) -> Evaluation:
    """Judges recommendations, wherever they come from: all items ranked, or an index's answer.

    Args:
        best: int64 (n, K), items in [0, num_items) recommended to each user, best first; -1 fills
            up where there are fewer.
        users: int64 (n,), distinct.
        relevant: what these users took; pairs of others do not count.
        shown: int64 (M,), the item of each train pair, by which items are popular or unseen.
        num_items: of the catalogue.

    Raises:
        InputError: for items outside the catalogue, or rows that are not one a user.

    Example:
        >>> relevant = Pairs(np.array([0, 1, 1]), np.array([2, 0, 3]))
        >>> shown = np.array([0, 0, 0, 1, 2])
        >>> found = evaluate(np.array([[0, 2], [0, 1]]), np.array([0, 1]), relevant, shown, 4)
        >>> found.all.recall, found.segments["head"].recall, found.segments["unseen"].recall
        (0.75, 1.0, 0.0)
        >>> found.coverage, found.popularity, round(found.consumed_popularity, 3)
        (0.75, 2.0, 1.333)
    """
    _refuse(best, users, num_items)
    relevant = relevant.only(np.isin(relevant.users, users))
    counts = np.bincount(shown, minlength=num_items)
    given = best[best >= 0]
    got = np.bincount(given, minlength=num_items)
    parts = {
        name: found(best, users, relevant.only(mask))
        for name, mask in segments(relevant.items, shown).items()
    }
    return Evaluation(
        found(best, users, relevant),
        parts,
        float(np.mean(got > 0)) if num_items else np.nan,
        _mean(counts[given]),
        _mean(counts[relevant.items]),
        gini(got),
    )


def found(best: Int, users: Int, relevant: Pairs) -> Found:
    """Gives recall, NDCG and hit rate over the users with relevant items."""
    hits, number = hits_of(best, users, relevant)
    have = number > 0
    recall, _, ndcg = measures(hits[have], number[have])
    hit = hits[have].any(axis=1)
    return Found(_mean(recall), _mean(ndcg), _mean(hit), int(have.sum()))


def gini(counts: NDArray[np.int64]) -> float:
    """Gives the Gini coefficient of counts (n,): mean difference of two / twice their mean.

    Example:
        >>> gini(np.array([3, 3])), gini(np.array([0, 0, 0, 8]))
        (0.0, 0.75)
    """
    n, total = len(counts), counts.sum()
    if not total:
        return np.nan
    places = 2 * np.arange(1, n + 1) - n - 1
    return float(places @ np.sort(counts) / (n * total))


def _mean(values: NDArray[np.generic]) -> float:
    return float(np.mean(values)) if len(values) else np.nan


def _refuse(best: Int, users: Int, num_items: int) -> None:
    if best.ndim != 2 or len(best) != len(users) or len(np.unique(users)) != len(users):
        raise InputError(
            f"expected a row of items for each distinct user, got {best.shape} for"
            f" {len(np.unique(users))} among {len(users)}"
        )
    if best.size and not (-1 <= best.min() and best.max() < num_items):
        raise InputError(
            f"recommended items must be in [0, {num_items}), or -1 for none, got"
            f" {best.min()} to {best.max()}"
        )
