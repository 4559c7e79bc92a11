"""Hard negatives: what the towers as they are rank high for a basket, and nobody bought in it."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index import Index
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.model import Towers

BLOCK = 1024


def mine(
    towers: Towers,
    users: Examples,
    items: Examples,
    num_items: int,
    num_baskets: int,
    band: tuple[int, int],
) -> NDArray[np.int32]:
    """Gives for each basket the numbers of the items within a band of ranks, int32 (B, H).

    Ranks are those of an index of the vectors as they are; with several interests each has a band
    of its own, one beside the other. Items of the basket may be among them: a batch leaves them
    out.

    Args:
        towers: whose vectors are compared.
        users: the baskets.
        items: the catalogue.
        num_items: those numbered below it are ranked.
        num_baskets: those numbered below it ask.
        band: first rank, and the one behind the last; what lies beyond the last item is left off.
    """
    towers.eval()
    vectors = towers.item.vectors(items.take(np.arange(num_items))).numpy()
    first, last = min(band[0], num_items - 1), min(band[1], num_items)
    index = Index.build(np.arange(num_items), vectors)
    found = []
    for start in range(0, num_baskets, BLOCK):
        chosen = np.arange(start, min(start + BLOCK, num_baskets))
        asked = towers.user.vectors(users.take(chosen))
        flat = asked.reshape(-1, asked.shape[-1]).numpy()
        ranked = index.search(flat, last).ids[:, first:]
        found.append(ranked.reshape(len(chosen), -1).astype(np.int32))
    return np.concatenate(found)
