"""Towers trained once for all tests of this folder."""

from typing import NamedTuple

from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.learning import Learned
from training.retrieval.towers.model import Towers
from training.retrieval.towers.shop import Shop, open_shop
from training.retrieval.towers.training import train_towers as train


class Trained(NamedTuple):
    config: RetrievalConfig
    shop: Shop
    towers: Towers
    learned: Learned


def train_towers(config: RetrievalConfig) -> Trained:
    shop = open_shop(config)
    done = train(config, shop)
    done.towers.eval()
    return Trained(config, shop, done.towers, done.learned)
