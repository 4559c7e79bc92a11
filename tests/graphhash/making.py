"""Graphs for the tests: random, planted, and those that hypothesis draws."""

import numpy as np
from hypothesis import strategies as st

from recsys_embed.graphhash import from_arrays


@st.composite
def graphs(draw, max_ids=8):
    """A small graph with at least one edge, weighted or not, with isolated ids or without."""
    ids = st.integers(0, max_ids - 1)
    edges = draw(st.lists(st.tuples(ids, ids), min_size=1, max_size=3 * max_ids))
    weights = None
    if draw(st.booleans()):
        counts = st.integers(1, 12).map(lambda k: k / 4)
        weights = draw(st.lists(counts, min_size=len(edges), max_size=len(edges)))
    users, items = zip(*edges, strict=True)
    more = draw(st.lists(ids, max_size=2))
    return from_arrays(users, items, weights, user_ids=more, item_ids=more)


def random_graph(rng, users=60, items=40, edges=400):
    return from_arrays(rng.integers(0, users, edges), rng.integers(0, items, edges))


def planted(rng, communities=12, users=240, items=120, edges=6000, inside=0.85):
    """A graph and the community of each user and item of it, by id."""
    of_users = rng.integers(0, communities, users)
    of_items = np.arange(items) % communities
    user = rng.integers(0, users, edges)
    near = of_users[user] + communities * rng.integers(0, items // communities, edges)
    item = np.where(rng.random(edges) < inside, near, rng.integers(0, items, edges))
    graph = from_arrays(user, item)
    return graph, of_users[graph.user_ids], of_items[graph.item_ids]
