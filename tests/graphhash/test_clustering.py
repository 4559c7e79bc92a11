"""Planted communities are found, no move is left that gains, and equal calls are equal."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score

from recsys_embed import InputError
from recsys_embed.graphhash import cluster, from_arrays, modularity
from recsys_embed.graphhash.clustering import clustering_of
from tests.graphhash.making import graphs, planted, random_graph

WAYS = [("native", "leiden"), ("native", "louvain"), ("igraph", "leiden")]


@pytest.mark.parametrize(("engine", "method"), WAYS)
def test_planted_communities_are_found(rng, engine, method):
    graph, of_users, of_items = planted(rng)
    found = cluster(graph, 2.0, engine=engine, method=method)
    assert normalized_mutual_info_score(of_users, found.users.clusters) > 0.99
    assert normalized_mutual_info_score(of_items, found.items.clusters) > 0.99
    assert found.modularity >= modularity(graph, of_users, of_items, 2.0) - 1e-9


@pytest.mark.parametrize(("engine", "method"), WAYS)
def test_the_unit_of_weights_does_not_matter(rng, engine, method):
    graph, of_users, _ = planted(rng)
    weights = rng.integers(4, 6, graph.num_edges) / 512
    scaled = from_arrays(graph.users, graph.items, weights)
    found = cluster(scaled, 2.0, engine=engine, method=method)
    assert normalized_mutual_info_score(of_users, found.users.clusters) > 0.99


def test_clusters_are_numbered_by_their_first_id():
    graph = from_arrays([1, 2, 3, 3], [10, 20, 30, 30], item_ids=[5])
    found = clustering_of(graph, np.array([9, 4, 9, 0, 4, 7, 9]), 1.0)
    assert found.users.clusters.tolist() == [0, 1, 0]
    assert found.items.clusters.tolist() == [-1, 1, 2, 0]
    assert found.users.rows.tolist() == [0, 1, -1] and found.items.rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize("resolution", [0.5, 1.0, 5.0])
@pytest.mark.parametrize(("method", "least"), [("leiden", 0.99), ("louvain", 0.96)])
def test_the_native_engine_is_as_good_as_igraph(rng, method, least, resolution):
    ratios = []
    for seed in range(8):
        graph = random_graph(rng, 200, 150, 1500)
        ours = cluster(graph, resolution, method=method, iterations=4, seed=seed)
        theirs = cluster(graph, resolution, engine="igraph", iterations=4, seed=seed)
        ratios.append(ours.modularity / theirs.modularity)
    assert np.mean(ratios) >= least  # igraph has no Louvain, and Leiden finds more


@given(graphs(), st.sampled_from([0.3, 1.0, 4.0]), st.integers(0, 9))
def test_no_single_move_gains(graph, resolution, seed):
    found = cluster(graph, resolution, method="louvain", iterations=50, seed=seed)
    users, items = found.users.clusters, found.items.clusters
    for clusters in (users, items):
        for node in np.flatnonzero(clusters >= 0):
            kept = clusters[node]
            for other in range(found.num_clusters + 1):
                clusters[node] = other
                assert modularity(graph, users, items, resolution) <= found.modularity + 1e-9
            clusters[node] = kept


@given(graphs(), st.sampled_from(["leiden", "louvain"]))
def test_clusters_and_rows_are_numbered_without_gaps(graph, method):
    found = cluster(graph, method=method)
    both = np.concatenate([found.users.clusters, found.items.clusters])
    _, first = np.unique(both[both >= 0], return_index=True)
    assert len(first) == found.num_clusters and (np.diff(first) > 0).all()
    for part, degrees in (
        (found.users, graph.user_degrees),
        (found.items, graph.item_degrees),
    ):
        assert ((part.clusters < 0) == (degrees == 0)).all()
        assert set(part.known_rows.tolist()) == set(range(part.num_rows))
        known = part.clusters >= 0
        weights = np.bincount(part.clusters[known], degrees[known], found.num_clusters)
        assert part.weights == pytest.approx(weights)


def test_a_start_is_improved_and_kept_where_it_is_best(rng):
    graph, _, _ = planted(rng)
    best = cluster(graph, 2.0, iterations=5)
    again = cluster(graph, 2.0, iterations=1, start=best, seed=7)
    assert again.modularity >= best.modularity - 1e-12
    assert again.users.clusters.tolist() == best.users.clusters.tolist()
    other = from_arrays([*graph.user_ids[graph.users], -5], [*graph.item_ids[graph.items], 3])
    assert cluster(other, 2.0, start=best).users.ids[0] == -5
    assert cluster(other, 2.0, start=best, engine="igraph").modularity > 0.3


def test_row_maps_give_clusters_their_rows(rng):
    graph = random_graph(rng)
    found = cluster(graph, 3.0)
    for side, part in (("users", found.users), ("items", found.items)):
        row_map = found.row_map(side, seed=3)
        assert row_map.num_rows == part.num_rows
        assert row_map.map(part.ids).rows[0].tolist() == part.rows[part.clusters].tolist()
    double = found.row_map("users", double=True)
    assert double.kind == "double_graphhash" and double.num_rows == found.users.num_rows


def test_the_resolution_decides_how_many():
    graph = from_arrays([1, 1, 2, 2, 3], [10, 11, 10, 11, 12])
    assert [cluster(graph, r).num_clusters for r in (0.1, 1.0, 100.0)] == [2, 2, 6]


DIGEST = """
import numpy as np
from recsys_embed.graphhash import cluster, from_arrays
rng = np.random.default_rng(1)
graph = from_arrays(rng.integers(0, 90, 900), rng.integers(0, 70, 900), rng.random(900))
for method, engine in [("leiden", "native"), ("louvain", "native"), ("leiden", "igraph")]:
    found = cluster(graph, 2.0, method=method, engine=engine, seed=5)
    print(found.row_map("users").digest, found.row_map("items").digest)
"""


def test_equal_calls_are_equal_in_every_process():
    runs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }
    assert len(runs) == 1 and len(runs.pop().split()) == 6


def test_another_seed_visits_in_another_order(rng):
    graph = random_graph(rng, 200, 150, 1500)
    found = [cluster(graph, 3.0, seed=seed).users.clusters.tolist() for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 0.0}, "above 0 and finite, got 0.0"),
        ({"resolution": float("nan")}, "above 0 and finite, got nan"),
        ({"iterations": 0}, r"at least 1 and the seed in \[0, 2\^63\), got 0 and 0"),
        ({"seed": -1}, "got 2 and -1"),
        ({"engine": "networkx"}, "native or igraph, got 'networkx'"),
        ({"method": "infomap"}, "leiden or louvain, got 'infomap'"),
        ({"engine": "igraph", "method": "louvain"}, "no bipartite null model"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        cluster(from_arrays([1], [2]), **arguments)
