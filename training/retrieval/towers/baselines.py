"""What two towers are held against: what sells, and vectors of customers known by id alone."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from recsys_embed.row_maps import Collisionless
from training.retrieval.embedding import MappedEmbedding
from training.retrieval.fit import Fit, fit_for
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs
from training.retrieval.models import MatrixFactorization
from training.retrieval.towers.best import best_items
from training.retrieval.towers.shop import Ints, Shop

DAY_S = 86_400
# Of 10, 20 and 40 epochs these did best on the validation part of configs/online-retail.
BPR_EPOCHS, BPR_BATCH = 40, 4096
LEAST_STEPS = 32  # of an epoch: few pairs come in smaller batches


class Recommends(Protocol):
    """Recommends to baskets."""

    def __call__(self, part: Ints, k: int) -> Ints:
        """Gives the k best items (n, K) of those sold by the end of the part, best first."""
        ...


def popular(shop: Shop, days: float | None = None) -> Recommends:
    """Recommends what sold most in the train part, or in so many days before the part asked of."""

    def recommends(part: Ints, k: int) -> Ints:
        baskets = shop.parts.train
        if days is not None:
            times = shop.baskets.times
            since = np.searchsorted(times, times[part[0]] - int(days * DAY_S))
            baskets = np.arange(since, part[0])
        num_items = shop.items_before(int(part[-1]) + 1)
        counts = np.bincount(shop.baskets.pairs(baskets)[1], minlength=num_items)
        best = np.argsort(-counts, kind="stable")[:k]
        return np.tile(best, (len(part), 1))

    return recommends


def factorized(shop: Shop, dim: int, seed: int) -> Recommends:
    """Recommends by MF-BPR: a vector a customer and a vector an item, learned on the train part.

    Customers who were not in it get the mean vector of those who were; items that were not, zeros.
    """
    customers, of_basket = np.unique(shop.baskets.users, return_inverse=True)
    baskets, bought = shop.baskets.pairs(shop.parts.train)
    train = Pairs(of_basket[baskets], bought)
    known, num_items = shop.known_items, len(shop.catalogue.names)
    interactions = Interactions(len(customers), known, train, NO_PAIRS, NO_PAIRS)
    generator = torch.Generator().manual_seed(seed)
    users, items = (
        MappedEmbedding(Collisionless(), np.arange(count), dim, generator=generator)
        for count in (len(customers), known)
    )
    model = MatrixFactorization(users, items)
    batch_size = max(1, min(BPR_BATCH, len(bought) // LEAST_STEPS))
    how = Fit(lr=5e-3, weight_decay=1e-6, batch_size=batch_size)
    fit_for(model, interactions, how, BPR_EPOCHS, seed)
    is_known = torch.from_numpy(np.isin(np.arange(len(customers)), train.users))
    vectors = _with_strangers(users().detach(), is_known)
    padded = torch.zeros(num_items, dim)
    padded[:known] = items().detach()

    def recommends(part: Ints, k: int) -> Ints:
        asked = vectors[torch.from_numpy(of_basket[part])]
        return best_items(_products, asked, padded[: shop.items_before(int(part[-1]) + 1)], k)

    return recommends


def _with_strangers(vectors: Tensor, is_known: Tensor) -> Tensor:
    return torch.where(is_known[:, None], vectors, vectors[is_known].mean(dim=0))


def _products(users: Tensor, items: Tensor) -> Tensor:
    return users @ items.T
