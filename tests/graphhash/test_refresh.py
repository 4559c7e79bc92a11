"""A refresh leaves as many ids as possible in their rows, and counts the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.graphhash import (
    RowBudget,
    cluster,
    cluster_to_budget,
    from_arrays,
    refresh,
    with_old_rows,
)
from tests.graphhash.making import graphs, planted
from tests.reference import bipartite as reference

# each group has an item of its own: stars, which are the clusters
GROUPS = st.lists(st.integers(0, 4), min_size=1, max_size=9)


def stars(groups):
    return cluster(from_arrays(np.arange(len(groups)), groups), 0.5)


@given(GROUPS, GROUPS)
def test_as_many_ids_as_possible_keep_their_row(first, later):
    check_churn(stars(first), stars(later))


@given(graphs(max_ids=6), graphs(max_ids=6))
def test_churn_is_counted_on_both_sides(first, later):
    check_churn(cluster(first, 1.0), cluster(later, 2.0))


def check_churn(old, new):
    kept = with_old_rows(old, new)
    for before, found, after, churn in (
        (old.users, new.users, kept.clustering.users, kept.users),
        (old.items, new.items, kept.clustering.items, kept.items),
    ):
        both, at, then = np.intersect1d(before.known, found.known, return_indices=True)
        rows, fresh = before.known_rows[at], found.known_rows[then]
        most = reference.most_kept(rows.tolist(), fresh.tolist(), found.num_rows)
        assert churn.ids_kept == int((rows == after.known_rows[then]).sum()) == most
        assert churn.ids_kept + churn.ids_moved == len(both)
        assert churn.ids_new == len(after.known) - len(both)
        assert churn.ids_gone == len(before.known) - len(both)
        assert churn.rows_kept + churn.rows_new == after.num_rows
        gone = set(before.known_rows.tolist()) - set(after.known_rows.tolist())
        assert churn.rows_freed == len(gone)
        assert set(after.known_rows.tolist()) == set(range(found.num_rows))
        assert len({*zip(fresh.tolist(), after.known_rows[then].tolist(), strict=True)}) == len(
            set(fresh.tolist())
        )


def test_nothing_new_changes_nothing(rng):
    graph, _, _ = planted(rng)
    old = cluster_to_budget(graph, RowBudget(total=24))
    same = refresh(old, graph)
    assert same.users.ids_moved == same.items.ids_moved == 0
    assert same.users.rows_kept == 12 and same.users.rows_freed == same.users.rows_new == 0
    assert same.clustering.users.known_rows.tolist() == old.users.known_rows.tolist()


def test_new_interactions_leave_planted_communities_in_their_rows(rng):
    graph, _, of_items = planted(rng)
    old = cluster(graph, 2.0)
    users = np.repeat(np.arange(1000, 1030), 4)
    items = graph.item_ids[of_items == 3][rng.integers(0, 10, 120)]
    more = from_arrays(
        np.concatenate([graph.user_ids[graph.users], users]),
        np.concatenate([graph.item_ids[graph.items], items]),
    )
    new = refresh(old, more)
    assert new.users.ids_moved + new.items.ids_moved == 0
    assert (new.users.ids_kept, new.users.ids_new) == (len(graph.user_ids), 30)
    rows = new.clustering.row_map("users").map(np.arange(1000, 1030)).rows
    assert set(rows[0]) == {new.clustering.row_map("users").map(users[:1]).rows[0, 0]}


@pytest.mark.parametrize("total", [10, 24, 40])
def test_a_refresh_may_have_another_budget(rng, total):
    graph, _, _ = planted(rng)
    new = refresh(cluster(graph, 2.0), graph, RowBudget(total=total))
    clustering = new.clustering
    assert clustering.users.num_rows + clustering.items.num_rows == total
    for side, churn in (("users", new.users), ("items", new.items)):
        row_map = clustering.row_map(side)
        assert row_map.num_rows == getattr(clustering, side).num_rows
        assert churn.rows_kept > 0
