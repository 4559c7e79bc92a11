"""What goes with what in a run: dual vectors of its items, judged on baskets that came later."""

import numpy as np
import torch

from recsys_embed.retrieval.inputs import Bag
from training.retrieval.complementary import ComplementaryFrom, Dual, learn_dual
from training.retrieval.evaluation import Evaluation, evaluate
from training.retrieval.interactions import Pairs
from training.retrieval.towers.shop import Ints, Shop

MOST_ASKED = 2000


def related_items(config: ComplementaryFrom, shop: Shop, seed: int) -> Dual:
    """Learns dual vectors of all items from the baskets of the train part."""
    offsets = shop.baskets.items.offsets[: len(shop.parts.train) + 1]
    bought = Bag(shop.baskets.items.values[: offsets[-1]], offsets)
    return learn_dual(bought, len(shop.catalogue.names), config, seed)


def judge_related(
    shop: Shop, dual: Dual, part: Ints, k: int, seed: int = 0
) -> dict[str, Evaluation]:
    """Asks with items of a part's baskets for the rest of the basket.

    Beside both kinds of vectors stand the items that sold most, and those that were most often in
    one basket with the item in the train part.

    Args:
        shop: the data.
        dual: the vectors.
        part: numbers of baskets.
        k: how many of the best count.
        seed: of the items that ask, at most so many as are quickly answered.
    """
    known = shop.known_items
    asked, relevant = _questions(shop, part, seed)
    together = _together(shop, asked)
    popular = np.bincount(shop.baskets.pairs(shop.parts.train)[1], minlength=known)
    inward = torch.from_numpy(dual.inward)
    scores = {
        "complementary": inward[asked] @ torch.from_numpy(dual.outward)[:known].T,
        "similar": inward[asked] @ inward[:known].T,
        "bought together": together,
        "popular": torch.from_numpy(popular).float().repeat(len(asked), 1),
    }
    users, shown = np.arange(len(asked)), shop.baskets.pairs(shop.parts.train)[1]
    judged = {}
    for name, of in scores.items():
        of[users, asked] = -torch.inf  # an item does not go with itself
        best = of.topk(min(k, known)).indices.numpy()
        judged[name] = evaluate(best, users, relevant, shown, known)
    return judged


def _questions(shop: Shop, part: Ints, seed: int) -> tuple[Ints, Pairs]:
    """Draws items of baskets, and the others that were bought with each of them."""
    baskets, items = shop.baskets.pairs(part)
    kept = items < shop.known_items
    baskets, items = baskets[kept], items[kept]
    drawn = np.random.default_rng(seed).permutation(len(items))[:MOST_ASKED]
    rows, others = [], []
    for row, at in enumerate(drawn.tolist()):
        low, high = np.searchsorted(baskets, (baskets[at], baskets[at] + 1))
        own = items[low:high]
        own = own[own != items[at]]
        rows.append(np.full(len(own), row))
        others.append(own)
    return items[drawn], Pairs(np.concatenate(rows), np.concatenate(others))


def _together(shop: Shop, asked: Ints) -> torch.Tensor:
    """Counts in how many train baskets each item was beside each of those asked with, (n, I)."""
    baskets, items = shop.baskets.pairs(shop.parts.train)
    distinct, rows = np.unique(asked, return_inverse=True)
    held = torch.zeros(len(shop.parts.train), shop.known_items)
    held[baskets, items] = 1.0
    return (held[:, distinct].T @ held)[rows]
