"""A run's towers: made as its config says, trained, and judged on the validation part."""

from typing import NamedTuple

import numpy as np
import torch

from training.retrieval.evaluation import found
from training.retrieval.towers.best import best_items
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.learning import Hears, Learned, Learner
from training.retrieval.towers.model import Towers
from training.retrieval.towers.sampling import Sampler
from training.retrieval.towers.shop import Ints, Shop
from training.retrieval.towers.tables import TowerTables


class TrainedTowers(NamedTuple):
    """Towers as they validated best, what came of training, and who can go on with it."""

    towers: Towers
    learned: Learned
    learner: Learner


def make_towers(config: RetrievalConfig, shop: Shop) -> Towers:
    """Makes the towers of a config, untrained.

    Raises:
        ConfigError: for tables that do not fit their inputs.
    """
    torch.manual_seed(config.seed)
    inputs = [config.user.inputs, config.item.inputs]
    tables = TowerTables(inputs, config.tables, config.train.missing, config.seed)
    return Towers(tables, shop.user, shop.item, (config.user.hidden, config.item.hidden))


def train_towers(
    config: RetrievalConfig, shop: Shop, hears: Hears = lambda progress: None
) -> TrainedTowers:
    """Trains towers on the train part; the mean recall@k of the validation part decides.

    Args:
        config: of the run.
        shop: its data; the test part is not looked at.
        hears: is told of progress.
    """
    towers = make_towers(config, shop)
    train, known = shop.parts.train, shop.known_items
    sampler = Sampler(shop.baskets, train, known, config.negatives, config.seed)
    learner = Learner(towers, shop.users, shop.items, sampler, shop.baskets.times, config)

    def validate() -> float:
        part = shop.parts.validation
        best = recommended(towers, shop, part, config.k)
        return found(best, np.arange(len(part)), shop.relevant(part)).recall

    return TrainedTowers(towers, learner.fit(validate, hears), learner)


def recommended(towers: Towers, shop: Shop, part: Ints, k: int) -> Ints:
    """Gives the k best items (n, K) for the baskets of a part, of all that were sold by its end."""
    towers.eval()
    users = towers.user.vectors(shop.users.take(part))
    items = towers.item.vectors(shop.items.take(np.arange(shop.items_before(part[-1] + 1))))
    return best_items(towers.scores, users, items, k)
