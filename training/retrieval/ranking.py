"""How well all items are ranked for a user: recall and NDCG of the K best that are new to them."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_embed.errors import InputError
from training.retrieval.interactions import Int, Pairs

BLOCK = 512


class Ranking(NamedTuple):
    """Means over the users that have relevant items.

    Args:
        recall: hits / relevant items, as NGCF and LightGCN report.
        recall_capped: hits / min(K, relevant items), as GraphHash reports; 1 can be reached.
        ndcg: with gains 1 / log2(place + 1), over those of min(K, relevant items) hits in front.
        users: over how many.
    """

    recall: float
    recall_capped: float
    ndcg: float
    users: int


def rank(
    vectors: tuple[Tensor, Tensor],
    relevant: Pairs,
    seen: Pairs,
    k: int = 20,
    users: Int | None = None,
    seed: int = 0,
) -> Ranking:
    """Ranks all items but the seen ones for each user, and counts the relevant among the best k.

    Args:
        vectors: of all users (U, D) and all items (I, D).
        relevant: pairs to be found.
        seen: pairs that are never ranked.
        k: how many of the best count.
        users: int64, whom to look at; without, all that have relevant items.
        seed: of the order of equals, see `best_items`.

    Raises:
        InputError: if k is not in [1, I].
    """
    present = np.unique(relevant.users)
    chosen = present if users is None else np.intersect1d(users, present)
    best = best_items(vectors, seen, chosen, k, seed)
    figures = measures(*hits_of(best, chosen, relevant))
    return Ranking(*(figures.sum(axis=1) / max(len(chosen), 1)).tolist(), users=len(chosen))


@torch.no_grad()
def best_items(
    vectors: tuple[Tensor, Tensor], seen: Pairs, users: Int, k: int = 20, seed: int = 0
) -> Int:
    """Gives the k items of highest score for each user, best first, int64 (n, k).

    Items of one score come in an order drawn by `seed`: ids that share all rows have one score,
    and the numbers of items often say how popular they are, which no model should be credited for.

    Args:
        vectors: of all users (U, D) and all items (I, D).
        seen: pairs that are not ranked before any other.
        users: int64 (n,), ascending.
        k: how many.
        seed: of the order of equals.

    Raises:
        InputError: if k is not in [1, I].
    """
    num_items = len(vectors[1])
    if not 1 <= k <= num_items:
        raise InputError(f"k must be in [1, {num_items}], the number of items, got {k}")
    order = np.random.default_rng(seed).permutation(num_items)
    place = np.empty_like(order)
    place[order] = np.arange(num_items)
    items = vectors[1][torch.from_numpy(order)]
    seen = _by_user(Pairs(seen.users, place[seen.items]))
    best = [np.empty((0, k), np.int64)]
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        scores = vectors[0][torch.from_numpy(block)] @ items.T
        scores[_cells(seen, block)] = -torch.inf
        best.append(order[scores.topk(k).indices.numpy()])
    return np.concatenate(best)


def hits_of(best: Int, users: Int, relevant: Pairs) -> tuple[NDArray[np.bool_], Int]:
    """Tells which of the best items (n, k) of users (n,) are relevant, and how many are, (n,).

    An item of -1 is none. A relevant pair that comes twice counts once.
    """
    cells = 1 + max(int(best.max(initial=0)), int(relevant.items.max(initial=0)))
    wanted = np.unique(relevant.users * cells + relevant.items)
    hits = np.isin(users[:, None] * cells + best, wanted) & (best >= 0)
    counts = np.bincount(wanted // cells, minlength=int(users.max(initial=-1)) + 1)
    return hits, counts[users]


def measures(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Gives recall, capped recall and NDCG (3, n) of hits (n, k), with so many relevant (n,)."""
    k = hits.shape[1]
    gains = 1 / np.log2(np.arange(k) + 2)
    capped = np.minimum(k, relevant)
    found = hits.sum(1)
    return np.stack([found / relevant, found / capped, hits @ gains / np.cumsum(gains)[capped - 1]])


def _by_user(pairs: Pairs) -> Pairs:
    order = np.argsort(pairs.users, kind="stable")
    return Pairs(pairs.users[order], pairs.items[order])


def _cells(pairs: Pairs, users: Int) -> tuple[Tensor, Tensor]:
    """Gives rows and columns of the pairs of these users, ascending, in a matrix of them alone."""
    starts, ends = (np.searchsorted(pairs.users, users, side) for side in ("left", "right"))
    counts = ends - starts
    rows = np.repeat(np.arange(len(users)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = pairs.items[np.repeat(starts, counts) + within]
    return torch.from_numpy(rows), torch.from_numpy(columns)
