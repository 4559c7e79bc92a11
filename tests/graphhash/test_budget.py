"""A budget is hit exactly wherever it can be, by mergers that cost little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError, InputError
from recsys_embed.graphhash import RowBudget, cluster, cluster_to_budget, from_arrays, modularity
from tests.graphhash.making import graphs, planted


@given(graphs(), st.data())
def test_every_reachable_budget_is_hit_exactly(graph, data):
    users = int((graph.user_degrees > 0).sum())
    items = int((graph.item_degrees > 0).sum())
    kind = data.draw(st.sampled_from(["users", "items", "both", "total"]))
    budget = {
        "users": RowBudget(users=data.draw(st.integers(1, users))),
        "items": RowBudget(items=data.draw(st.integers(1, items))),
        "both": RowBudget(data.draw(st.integers(1, users)), data.draw(st.integers(1, items))),
        "total": RowBudget(total=data.draw(st.integers(2, users + items))),
    }[kind]
    start = cluster(graph, 2.0) if data.draw(st.booleans()) else None
    found = cluster_to_budget(graph, budget, start=start)
    has = found.users.num_rows, found.items.num_rows
    assert budget.users in (None, has[0])
    assert budget.items in (None, has[1])
    assert budget.total in (None, sum(has))
    for part in (found.users, found.items):
        assert set(part.known_rows.tolist()) == set(range(part.num_rows))
    own = modularity(graph, found.users.clusters, found.items.clusters, found.resolution)
    assert found.modularity == pytest.approx(own)


@given(graphs())
def test_one_side_may_keep_its_ids_apart_while_the_other_is_one_row(graph):
    users = int((graph.user_degrees > 0).sum())
    found = cluster_to_budget(graph, RowBudget(users=users, items=1))
    assert (found.users.num_rows, found.items.num_rows) == (users, 1)


def test_planted_communities_are_merged_only_as_far_as_needed(rng):
    graph, _, _ = planted(rng)
    whole = cluster_to_budget(graph, RowBudget(total=24))
    assert (whole.users.num_rows, whole.items.num_rows) == (12, 12)
    fewer = cluster_to_budget(graph, RowBudget(total=23))
    # a cluster less would cost a twelfth of what is inside: one side alone gives up a row
    assert fewer.users.num_rows + fewer.items.num_rows == 23
    assert fewer.num_clusters >= 11


def test_cliques_without_a_link_are_merged_too():
    graph = from_arrays(range(9), range(9))
    found = cluster_to_budget(graph, RowBudget(users=4, items=2))
    assert (found.users.num_rows, found.items.num_rows) == (4, 2)


def test_each_trial_is_reported(rng):
    graph, _, _ = planted(rng)
    tried = []
    found = cluster_to_budget(graph, RowBudget(users=50), report=tried.append)
    assert found.resolution in [trial.resolution for trial in tried]
    assert found.users.num_rows == 50


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (RowBudget(users=3), "rows of users can be 1 to 2, as many as have interactions; 3 were"),
        (RowBudget(items=4), "rows of items can be 1 to 3"),
        (RowBudget(total=6), "rows of users and items together can be 2 to 5"),
        (RowBudget(total=1), "together can be 2 to 5, as many as have interactions; 1 were"),
    ],
)
def test_a_budget_out_of_reach_names_the_range(budget, message):
    graph = from_arrays([1, 2, 2], [10, 20, 30], user_ids=[99])
    with pytest.raises(InputError, match=message):
        cluster_to_budget(graph, budget)


@pytest.mark.parametrize("rows", [{}, {"users": 0}, {"total": 5, "users": 2}])
def test_a_budget_names_users_and_items_or_their_total(rows):
    with pytest.raises(ConfigError, match="must be positive and name users, items or both"):
        RowBudget(**rows)
