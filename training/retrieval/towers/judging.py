"""How good recommendations are on a part of the log, towers and baselines alike."""

from collections.abc import Mapping

import numpy as np

from training.retrieval.evaluation import Evaluation, evaluate
from training.retrieval.towers.baselines import Recommends
from training.retrieval.towers.shop import Ints, Shop


def judge(
    shop: Shop, part: Ints, ks: tuple[int, ...], recommenders: Mapping[str, Recommends]
) -> dict[str, dict[int, Evaluation]]:
    """Evaluates recommenders on the baskets of a part, by name and k.

    A basket asks with what was known of its customer before it, and what is in it is to be found
    among all items that were sold by the end of the part. Customers buy things again, so that
    nothing is left out for having been bought. "unseen" are items that the train part lacks.

    Args:
        shop: the data.
        part: numbers of baskets, ascending, at least one.
        ks: how many of the best count.
        recommenders: by name.
    """
    shown = shop.baskets.pairs(shop.parts.train)[1]
    relevant, users = shop.relevant(part), np.arange(len(part))
    num_items = shop.items_before(int(part[-1]) + 1)
    judged = {}
    for name, recommends in recommenders.items():
        best = recommends(part, max(ks))
        judged[name] = {
            k: evaluate(best[:, :k], users, relevant, shown, num_items) for k in sorted(ks)
        }
    return judged


def chance(shop: Shop, part: Ints, k: int) -> float:
    """Gives the recall that k items drawn at random would have; NaN without baskets."""
    return min(1.0, k / shop.items_before(int(part[-1]) + 1)) if len(part) else float("nan")
