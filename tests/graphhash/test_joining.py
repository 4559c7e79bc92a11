"""Newcomers join where their edges vote; whoever has a cluster stays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.graphhash import RowBudget, cluster, cluster_to_budget, from_arrays, join
from tests.graphhash.making import graphs
from tests.reference import bipartite as reference


def neighbors(graph, of_users):
    """Gives each id of one side its edges {id of the other side: weight}."""
    users, items = graph.user_ids[graph.users].tolist(), graph.item_ids[graph.items].tolist()
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    edges = {}
    for user, item, weight in zip(users, items, weights.tolist(), strict=True):
        key, other = (user, item) if of_users else (item, user)
        edges.setdefault(key, {})[other] = weight
    return edges


@given(graphs(), graphs(max_ids=14), st.sampled_from([0.5, 1.0, 3.0]))
def test_newcomers_join_by_vote(first, later, resolution):
    old = cluster(first, resolution)
    new = join(old, later)
    sides = (old.users, new.users, old.items, True), (old.items, new.items, old.users, False)
    for before, after, other, of_users in sides:
        known = dict(zip(before.ids.tolist(), before.clusters.tolist(), strict=True))
        voters = dict(zip(other.known.tolist(), other.clusters[other.clusters >= 0], strict=True))
        joined = {i: c for i, c in known.items() if c >= 0}
        for id_, edges in neighbors(later, of_users).items():
            chosen = reference.vote(
                edges,
                sum(edges.values()),
                voters,
                other.weights,
                before.rows,
                resolution,
                old.total_weight,
            )
            if id_ not in joined and chosen >= 0:
                joined[id_] = chosen
        known_after = dict(zip(after.known.tolist(), after.known_rows.tolist(), strict=True))
        assert known_after == {i: before.rows[c] for i, c in joined.items()}
        assert (np.diff(after.ids) > 0).all()


def test_of_equal_votes_the_lighter_cluster_wins_then_the_lower():
    users, items = [1, 1, 1, 2, 3, 3], [10, 11, 12, 20, 30, 31]
    old = cluster(from_arrays(users, items))
    assert old.items.clusters.tolist() == [0, 0, 0, 1, 2, 2]
    new = join(old, from_arrays([8, 8, 9, 9, 9], [10, 20, 12, 20, 30]))
    assert dict(zip(new.users.ids, new.users.clusters, strict=True))[8] == 1
    even = cluster(from_arrays([1, 2], [10, 20]))
    assert join(even, from_arrays([7, 7], [20, 10])).users.clusters.tolist() == [0, 1, 0]


def test_clusters_without_a_row_for_users_take_none():
    graph = from_arrays([1, 1, 1, 2, 2, 2], [10, 11, 12, 20, 21, 22])
    apart = cluster_to_budget(graph, RowBudget(items=6))  # every id a cluster of its own
    assert apart.users.rows[apart.items.clusters].max() == -1
    assert join(apart, from_arrays([3], [10])).users.known.tolist() == [1, 2]


def test_the_row_map_hashes_newcomers_until_they_join():
    old = cluster(from_arrays([1, 1, 2, 2, 3], [10, 11, 10, 11, 12]))
    new = join(old, from_arrays([9, 8], [12, 99]))
    before, after = old.row_map("users", seed=1), new.row_map("users", seed=1)
    assert after.map(np.array([9])).rows[0, 0] == old.users.rows[old.users.clusters[2]]
    assert before.map(np.array([8])).rows.tolist() == after.map(np.array([8])).rows.tolist()


def test_isolated_ids_join_with_their_first_edge():
    old = cluster(from_arrays([1, 2], [10, 20], user_ids=[5]))
    assert old.users.known.tolist() == [1, 2]
    assert join(old, from_arrays([5], [20])).users.clusters.tolist() == [0, 1, 1]
