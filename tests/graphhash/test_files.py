"""Clusterings are read back as they were written; other files are refused; pictures are drawn."""

import numpy as np
import pytest
from hypothesis import given

from recsys_embed import InputError
from recsys_embed.graphhash import cluster, from_arrays, read_clustering, write_clustering
from recsys_embed.graphhash.picture import block_lift, draw
from tests.graphhash.making import graphs, planted
from tests.reference import bipartite as reference


@given(graphs())
def test_a_clustering_is_read_back_as_it_was(tmp_path_factory, graph):
    path = tmp_path_factory.mktemp("clustering") / "a"
    found = cluster(graph, 1.5)
    write_clustering(path, found)
    again = read_clustering(path)
    for side in ("users", "items"):
        for field in ("ids", "clusters", "weights", "rows"):
            before, after = (getattr(getattr(c, side), field) for c in (found, again))
            assert before.dtype == after.dtype and before.tolist() == after.tolist()
    assert (again.resolution, again.modularity) == (found.resolution, found.modularity)
    assert again.total_weight == found.total_weight


def test_what_is_no_clustering_is_refused(tmp_path):
    with pytest.raises(InputError, match="but there is no file"):
        read_clustering(tmp_path / "none")
    (tmp_path / "text").write_text("nothing of the kind")
    with pytest.raises(InputError, match="expected a clustering in"):
        read_clustering(tmp_path / "text")
    with pytest.raises(InputError, match="cannot write the clustering"):
        write_clustering(tmp_path / "none" / "a", cluster(from_arrays([1], [2])))


def test_the_lift_is_what_there_is_over_chance(rng):
    graph, _, _ = planted(rng)
    found = cluster(graph, 2.0)
    lift = block_lift(graph, found, 3)
    matrix, total = reference.dense(graph), graph.total_weight
    order = np.argsort(-(found.users.weights + found.items.weights), kind="stable")[:3]
    for a, first in enumerate(order):
        for b, second in enumerate(order):
            inside = matrix[found.users.clusters == first][:, found.items.clusters == second].sum()
            chance = found.users.weights[first] * found.items.weights[second] / total
            assert lift[a, b] == pytest.approx(inside / chance)


@pytest.mark.parametrize("resolution", [0.1, 1.0, 100.0])
def test_a_picture_is_drawn(tmp_path, resolution):
    graph = from_arrays([1, 1, 2, 2, 3], [10, 11, 10, 11, 12])
    found = cluster(graph, resolution)
    draw(tmp_path / "a.png", graph, found, [cluster(graph, 2.0)])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
