"""How well all items are ranked for a user: recall and NDCG of the K best that are new to them."""

from typing import NamedTuple

import numpy as np
import torch
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


@torch.no_grad()
def rank(
    vectors: tuple[Tensor, Tensor],
    relevant: Pairs,
    seen: Pairs,
    k: int = 20,
    users: Int | None = None,
    seed: int = 0,
) -> Ranking:
    """Ranks all items but the seen ones for each user, and counts the relevant among the best k.

    Items of one score come in an order drawn by `seed`: ids that share all rows have one score,
    and the numbers of items often say how popular they are, which no model should be credited for.

    Args:
        vectors: of all users (U, D) and all items (I, D).
        relevant: pairs to be found.
        seen: pairs that are never ranked.
        k: how many of the best count.
        users: int64, whom to look at; without, all that have relevant items.
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
    relevant, seen = (_by_user(Pairs(p.users, place[p.items])) for p in (relevant, seen))
    present = np.unique(relevant.users)
    chosen = present if users is None else np.intersect1d(users, present)
    sums = np.zeros(3)
    for start in range(0, len(chosen), BLOCK):
        block = chosen[start : start + BLOCK]
        scores = vectors[0][torch.from_numpy(block)] @ items.T
        scores[_cells(seen, block)] = -torch.inf
        wanted = torch.zeros(scores.shape, dtype=torch.bool)
        wanted[_cells(relevant, block)] = True
        hits = wanted.gather(1, scores.topk(k).indices).numpy()
        sums += np.sum(measures(hits, wanted.sum(1).numpy()), axis=1)
    return Ranking(*(sums / max(len(chosen), 1)).tolist(), users=len(chosen))


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
