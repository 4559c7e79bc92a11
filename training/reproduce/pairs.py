"""Interactions and their clusters, kept from one case to the next."""

from functools import lru_cache

import numpy as np

from recsys_embed.graphhash import Clustering, cluster, from_arrays
from recsys_embed.graphhash.engines import Method
from training.readers.paths import resolve
from training.retrieval.interactions import Interactions, read_adjacency

ITEMS_AT_LEAST = 5


@lru_cache(maxsize=2)
def read_parts(
    path: str, validation: float, users: int = 0, *, is_random: bool = False
) -> Interactions:
    """Reads a folder of adjacency lines, and carves the validation part.

    Args:
        path: of the folder; $RECSYS_DATA is filled in.
        validation: share of each user's train pairs.
        users: the first so many alone, and items with ITEMS_AT_LEAST pairs of theirs; 0: all.
        is_random: whether the test part is dealt anew, as large for each user as it was for all.
    """
    whole = read_adjacency(resolve(path))
    if is_random:
        pairs = len(whole.train.users) + len(whole.test.users)
        whole = whole.deal_anew(len(whole.test.users) / pairs)
    return (whole.of_users(users, ITEMS_AT_LEAST) if users else whole).carve(validation)


@lru_cache(maxsize=1)
def clusters_of(
    interactions: Interactions, resolution: float, method: Method, seed: int
) -> Clustering:
    """Clusters the users and items of the train part; those without a pair are known, but alone."""
    graph = from_arrays(
        *interactions.train,
        user_ids=np.arange(interactions.num_users),
        item_ids=np.arange(interactions.num_items),
    )
    return cluster(graph, resolution, method=method, seed=seed)
