"""Users and items in planted blocks: everybody likes the items of their own block alone."""

import numpy as np

from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs


def planted(
    blocks: int = 4, users: int = 10, items: int = 12, seed: int = 0, held: int = 2
) -> Interactions:
    """Gives pairs inside the blocks, `held` of each user's in the test part."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for user in range(blocks * users):
        liked = user % blocks + blocks * rng.permutation(items)
        for place, item in enumerate(liked):
            parts[place < held].append((user, int(item)))
    train, test = (Pairs(*np.array(part, np.int64).T) for part in parts)
    return Interactions(blocks * users, blocks * items, train, NO_PAIRS, test)
