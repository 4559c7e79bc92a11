"""The modularity is Barber's sum over pairs, and what igraph's engine maximizes."""

import igraph
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.graphhash import cluster, from_arrays, modularity
from tests.graphhash.making import graphs, random_graph
from tests.reference import bipartite as reference


@given(graphs(), st.sampled_from([0.5, 1.0, 3.0]), st.integers(0, 2**32))
def test_modularity_is_barbers_sum(graph, resolution, seed):
    rng = np.random.default_rng(seed)
    users = rng.integers(0, 4, len(graph.user_ids))
    items = rng.integers(0, 4, len(graph.item_ids))
    expected = reference.modularity(reference.dense(graph), users, items, resolution)
    assert modularity(graph, users, items, resolution) == pytest.approx(expected)


@given(graphs(), st.sampled_from([0.5, 1.0, 3.0]))
def test_a_clustering_states_its_own_modularity(graph, resolution):
    found = cluster(graph, resolution)
    users, items = found.users.clusters, found.items.clusters
    expected = reference.modularity(reference.dense(graph), users, items, resolution)
    assert found.modularity == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_igraphs_directed_potts_model_is_barbers_modularity(rng, weighted):
    graph = random_graph(rng)
    if weighted:
        graph = from_arrays(graph.users, graph.items, rng.integers(1, 9, graph.num_edges) / 4)
    num_users, num_items = len(graph.user_ids), len(graph.item_ids)
    edges = np.stack([graph.users, graph.items + num_users], 1)
    found = igraph.Graph(num_users + num_items, edges, directed=True).community_leiden(
        "CPM",
        weights=None if graph.weights is None else graph.weights.tolist(),
        resolution=2.0 / graph.total_weight,
        node_weights=[*graph.user_degrees, *np.zeros(num_items)],
        node_in_weights=[*np.zeros(num_users), *graph.item_degrees],
    )
    labels = np.array(found.membership)
    ours = modularity(graph, labels[:num_users], labels[num_users:], 2.0)
    assert ours == pytest.approx(found.quality)
    assert ours > 0.1
