"""What scores mean, learned from the validation part: from searches to whether they found."""

import numpy as np

from recsys_embed.retrieval.relevance_fitting import Fitted, fit_adapter
from training.retrieval.towers.model import Towers
from training.retrieval.towers.shop import Shop
from training.retrieval.towers.training import recommended

RESULTS = 100  # of each search; the probabilities hold for lists of about this length


def fit_relevance(towers: Towers, shop: Shop) -> Fitted | None:
    """Learns the probability that a result is bought; None for towers of several interests.

    Each basket of the validation part searches with what was known before it; a result is relevant
    if the basket holds it. With several interests no one query stands for a user.
    """
    if shop.user.interests > 1:
        return None
    part = shop.parts.validation
    best = recommended(towers, shop, part, RESULTS)
    users = towers.user.vectors(shop.users.take(part)).numpy()
    items = towers.item.vectors(shop.items.take(np.arange(best.max() + 1))).numpy()
    scores = np.einsum("bd,bkd->bk", users, items[best])
    wanted = shop.relevant(part)
    held = np.zeros((len(part), len(shop.catalogue.names)), bool)
    held[wanted.users, wanted.items] = True
    return fit_adapter(users, scores, np.take_along_axis(held, best, axis=1), "cosine")
