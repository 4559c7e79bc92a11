"""Every source gives the same graph; what cannot be one is refused with the numbers."""

from collections import defaultdict

import igraph
import networkx
import numpy as np
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError, hash_string
from recsys_embed.graphhash import (
    Bipartite,
    from_adjacency,
    from_arrays,
    from_frame,
    from_igraph,
    from_networkx,
    from_parquet,
    from_scipy,
)

USERS, ITEMS, WEIGHTS = [7, 5, 7, 5], [1, 2, 1, 1], [1.0, 2.0, 0.5, 4.0]
EDGES = {(7, 1): 1.5, (5, 2): 2.0, (5, 1): 4.0}
ANY = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5)


def edges_of(graph):
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    users, items = graph.user_ids[graph.users], graph.item_ids[graph.items]
    return dict(zip(zip(users.tolist(), items.tolist(), strict=True), weights, strict=True))


@given(st.lists(st.tuples(ANY, ANY, st.integers(1, 8)), min_size=1, max_size=30))
def test_edges_that_repeat_are_summed(edges):
    expected = defaultdict(float)
    for user, item, weight in edges:
        expected[user, item] += weight
    users, items, weights = zip(*edges, strict=True)
    graph = from_arrays(np.array(users), np.array(items), weights)
    assert edges_of(graph) == expected
    assert graph.merged == len(edges) - len(expected)
    assert (np.diff(graph.user_ids) > 0).all() and (np.diff(graph.item_ids) > 0).all()
    assert graph.total_weight == sum(weights) == graph.user_degrees.sum()
    assert graph.item_degrees.sum() == sum(weights)


def test_isolated_ids_are_kept():
    graph = from_arrays([7], [1], user_ids=[9, 7], item_ids=[3])
    assert graph.user_ids.tolist() == [7, 9] and graph.item_ids.tolist() == [1, 3]
    assert graph.user_degrees.tolist() == [1, 0]
    dropped = from_arrays([7, 8], [1, 2], [1.0, 0.0])
    assert dropped.user_ids.tolist() == [7, 8] and dropped.num_edges == 1


def test_frames_and_parquet_files(tmp_path):
    frame = pl.DataFrame({"u": USERS, "i": ITEMS, "w": WEIGHTS, "other": "x"})
    assert edges_of(from_frame(frame, "u", "i", "w")) == EDGES
    frame.write_parquet(tmp_path / "a.parquet")
    assert edges_of(from_parquet(tmp_path / "a.parquet", "u", "i", "w")) == EDGES
    assert from_parquet(tmp_path / "a.parquet", "u", "i").weights.tolist() == [1, 1, 2]


def test_strings_get_the_ids_they_have_everywhere():
    frame = pl.DataFrame({"u": ["b", "a", "b"], "i": ["x", "x", "y"]})
    ids = {name: hash_string(name) for name in "abxy"}
    expected = {(ids["b"], ids["x"]): 1, (ids["a"], ids["x"]): 1, (ids["b"], ids["y"]): 1}
    assert edges_of(from_frame(frame, "u", "i")) == expected
    assert edges_of(from_frame(frame.cast(pl.Categorical), "u", "i")) == expected


def test_scipy_matrices():
    matrix = scipy.sparse.coo_array((WEIGHTS, ([1, 0, 1, 0], [0, 1, 0, 0])), shape=(3, 2))
    ids = {"user_ids": [5, 7, 9], "item_ids": [1, 2]}
    for of_kind in (matrix, matrix.tocsr(), scipy.sparse.csc_matrix(matrix)):
        graph = from_scipy(of_kind, **ids)
        assert edges_of(graph) == EDGES and graph.user_ids.tolist() == [5, 7, 9]
    assert edges_of(from_scipy(matrix)) == {(1, 0): 1.5, (0, 1): 2.0, (0, 0): 4.0}


def test_networkx_graphs():
    graph = networkx.MultiGraph()
    graph.add_nodes_from([5, 7, 9], bipartite=0)
    graph.add_nodes_from([1, 2], bipartite=1)
    graph.add_weighted_edges_from([(1, 7, 1.0), (5, 2, 2.0), (7, 1, 0.5), (5, 1, 4.0)])
    assert edges_of(from_networkx(graph)) == EDGES
    assert from_networkx(graph).user_ids.tolist() == [5, 7, 9]
    other_way = from_networkx(graph, users=[1, 2])
    assert edges_of(other_way) == {(b, a): w for (a, b), w in EDGES.items()}
    named = networkx.Graph([("ann", "pen")])
    assert edges_of(from_networkx(named, ["ann"])) == {(hash_string("ann"), hash_string("pen")): 1}


def test_igraph_graphs():
    graph = igraph.Graph(n=5, edges=[(0, 3), (1, 4), (3, 0), (1, 3)])
    graph.vs["type"] = [False, False, False, True, True]
    assert edges_of(from_igraph(graph)) == {(0, 3): 2, (1, 4): 1, (1, 3): 1}
    assert from_igraph(graph).user_ids.tolist() == [0, 1, 2]
    graph.vs["name"] = [7, 5, 9, 1, 2]
    graph.es["weight"] = [1.0, 2.0, 0.5, 4.0]
    assert edges_of(from_igraph(graph)) == EDGES


def test_adjacency_text(tmp_path):
    (tmp_path / "train.txt").write_text("7 1\n5 2 1 1\n9\n\n")
    assert edges_of(from_adjacency(tmp_path / "train.txt")) == {(7, 1): 1, (5, 2): 1, (5, 1): 2}
    (tmp_path / "wrong.txt").write_text("7 1\n5 x\n")
    with pytest.raises(InputError, match="line 2"):
        from_adjacency(tmp_path / "wrong.txt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1]), r"as many items as users, got \(1,\) and \(2,\)"),
        (([1, 2], [1, 2], [1.0, -3.0]), r"1 of 2 are negative, the first is -3.0 at 1"),
        (([1, 2], [1, 2], [np.nan, np.inf]), r"2 of 2 are not finite, the first is nan at 0"),
        (([1, 2], [1, 2], [1.0]), r"of shape \(2,\), got float64 \(1,\)"),
        (([1, 2], [1, 2], ["a", "b"]), "weights must be numbers"),
        (([], []), "got 0 edges of a positive weight between 0 users and 0 items"),
        (([1], [2], [0.0]), "got 0 edges of a positive weight between 1 users and 1 items"),
        (([1.5], [2]), "expected integers or strings"),
    ],
)
def test_what_is_no_graph_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        from_arrays(*arguments)


def test_sources_refuse_with_what_they_found(tmp_path):
    frame = pl.DataFrame({"u": [1, None], "i": [1, 2]})
    with pytest.raises(InputError, match=r"found no \['x'\] among \['u', 'i'\]"):
        from_frame(frame, "x", "i")
    with pytest.raises(InputError, match=r"nulls, got {'u': 1} in 2 lines"):
        from_frame(frame, "u", "i")
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"expected columns \['x', 'i'\], found \['u', 'i'\]"):
        from_parquet(tmp_path / "a.parquet", "x", "i")
    with pytest.raises(InputError, match="0 edges of a positive weight between 0 users and 3"):
        from_scipy(scipy.sparse.csr_array((0, 3)))
    with pytest.raises(InputError, match="2 distinct ids, got 1 distinct of 2"):
        from_scipy(scipy.sparse.csr_array(np.ones((2, 1))), user_ids=[4, 4])


def test_graphs_with_an_edge_within_one_side_are_refused():
    graph = networkx.Graph([(1, 2), (2, 3)])
    with pytest.raises(InputError, match="node 1 must have an attribute bipartite"):
        from_networkx(graph)
    with pytest.raises(InputError, match=r"1 of 2 do not, the first is \(1, 2\)"):
        from_networkx(graph, users=[3])
    with pytest.raises(InputError, match="all integers or all strings"):
        from_networkx(networkx.Graph([(1, 3), ("a", 3)]), users=[1, "a"])
    with pytest.raises(InputError, match="attribute 'type'"):
        from_igraph(igraph.Graph(n=2, edges=[(0, 1)]))
    within = igraph.Graph(n=3, edges=[(0, 2), (0, 1)], vertex_attrs={"type": [False, False, True]})
    with pytest.raises(InputError, match=r"1 of 2 do not, the first joins vertices \(0, 1\)"):
        from_igraph(within)


@pytest.mark.parametrize(
    ("offsets", "items", "weights", "message"),
    [
        ([0, 2], [0, 1], None, "must be 3 that rise from 0 to 2, got 2 from 0 to 2"),
        ([0, 2, 1], [0, 1], None, "got 3 from 0 to 1"),
        ([0, 3, 2], [0, 1], None, "got 3 from 0 to 2"),
        ([1, 2, 2], [0, 1], None, "got 3 from 1 to 2"),
        ([], [0, 1], None, "got 0 from 0 to 0"),
        ([0, 1, 2], [0, 2], None, r"places in \[0, 2\), got 0 to 2"),
        ([0, 1, 2], [-1, 0], None, "got -1 to 0"),
        ([0, 1, 2], [0, 1], [1.0], r"a weight for each of 2 edges, got \(1,\)"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(offsets, items, weights, message):
    ids = np.array([1, 2])
    given = None if weights is None else np.array(weights, np.float32)
    with pytest.raises(InputError, match=message):
        Bipartite(ids, ids, np.array(offsets, np.int64), np.array(items, np.int32), given)
