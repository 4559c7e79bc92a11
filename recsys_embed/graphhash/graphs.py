"""Interactions from sparse matrices, networkx and igraph graphs."""

from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.graphhash.interactions import Bipartite, from_arrays
from recsys_embed.hashing import ids_of

if TYPE_CHECKING:
    import igraph
    import networkx
    from scipy.sparse import sparray, spmatrix


def from_scipy(
    matrix: "spmatrix | sparray",
    user_ids: ArrayLike | None = None,
    item_ids: ArrayLike | None = None,
) -> Bipartite:
    """Builds the graph from a sparse matrix (U, I) of weights; empty lines are isolated nodes.

    Args:
        matrix: users by items.
        user_ids: the ids (U,) of its lines; left out: 0 to U - 1.
        item_ids: the ids (I,) of its columns; left out: 0 to I - 1.

    Raises:
        InputError: for ids that do not fit the shape or repeat, and as `from_arrays` does.

    Example:
        >>> from scipy.sparse import csr_array
        >>> from_scipy(csr_array([[1, 0], [0, 2]]), user_ids=[10, 20]).user_ids
        array([10, 20])
    """
    edges: Any = matrix.tocoo()
    users = _named(user_ids, edges.shape[0], "user_ids")
    items = _named(item_ids, edges.shape[1], "item_ids")
    rows, columns = edges.coords if hasattr(edges, "coords") else (edges.row, edges.col)
    return from_arrays(users[rows], items[columns], edges.data, user_ids=users, item_ids=items)


def from_networkx(
    graph: "networkx.Graph[Any]", users: Collection[Hashable] | None = None, weight: str = "weight"
) -> Bipartite:
    """Builds the graph from a bipartite networkx graph; nodes are integers or strings.

    Args:
        graph: directed or not; the edges of a multigraph are merged.
        users: the nodes that are users; left out: those whose attribute `bipartite` is 0.
        weight: attribute of the edges, 1 where it is absent.

    Raises:
        InputError: for a node on neither side, an edge within one, and as `from_arrays` does.
    """
    of_user = (
        {v: _side(graph, v) == 0 for v in graph} if users is None else {v: False for v in graph}
    )
    of_user.update(dict.fromkeys(users or (), True))
    edges = [(a, b, w) for a, b, w in graph.edges(data=weight, default=1.0)]
    if (inside := [e for e in edges if of_user[e[0]] == of_user[e[1]]]) != []:
        raise InputError(
            f"edges must join a user and an item; {len(inside)} of {len(edges)} do not, the first"
            f" is {inside[0][:2]}"
        )
    pairs = [(a, b) if of_user[a] else (b, a) for a, b, _ in edges]
    return from_arrays(
        _nodes([a for a, _ in pairs]),
        _nodes([b for _, b in pairs]),
        np.array([w for _, _, w in edges], np.float64),
        user_ids=_nodes([v for v in graph if of_user[v]]),
        item_ids=_nodes([v for v in graph if not of_user[v]]),
    )


def from_igraph(graph: "igraph.Graph", types: str = "type", weight: str = "weight") -> Bipartite:
    """Builds the graph from a bipartite igraph graph; ids are the vertices' names or numbers.

    Args:
        graph: directed or not; multiple edges are merged.
        types: attribute of the vertices, false for users and true for items.
        weight: attribute of the edges; all 1 where it is absent.

    Raises:
        InputError: for vertices without that attribute, an edge within one side, and as
            `from_arrays` does.
    """
    if types not in graph.vs.attributes():
        raise InputError(
            f"expected vertices with an attribute {types!r}, false for users and true for items;"
            f" found {graph.vs.attributes()}"
        )
    is_item = np.array(graph.vs[types], np.bool_)
    ids = _nodes(graph.vs["name"] if "name" in graph.vs.attributes() else range(graph.vcount()))
    ends = np.array(graph.get_edgelist(), np.int64).reshape(-1, 2)
    wrong = is_item[ends[:, 0]] == is_item[ends[:, 1]]
    if wrong.any():
        raise InputError(
            f"edges must join a user and an item; {int(wrong.sum())} of {len(ends)} do not, the"
            f" first joins vertices {tuple(ends[wrong.argmax()].tolist())}"
        )
    ends = np.where(is_item[ends[:, :1]], ends[:, ::-1], ends)
    weights = graph.es[weight] if weight in graph.es.attributes() else None
    return from_arrays(
        ids[ends[:, 0]],
        ids[ends[:, 1]],
        weights,
        user_ids=ids[~is_item],
        item_ids=ids[is_item],
    )


def _named(ids: ArrayLike | None, count: int, name: str) -> NDArray[np.int64]:
    if ids is None:
        return np.arange(count)
    given = ids_of(ids)
    if given.shape != (count,) or len(np.unique(given)) != count:
        raise InputError(
            f"{name} must be {count} distinct ids, got {len(np.unique(given))} distinct of"
            f" {given.size}"
        )
    return given


def _side(graph: "networkx.Graph[Any]", node: Hashable) -> int:
    side = graph.nodes[node].get("bipartite")
    if side not in (0, 1):
        raise InputError(
            f"node {node!r} must have an attribute bipartite, 0 for users and 1 for items, got"
            f" {side!r}; or say which nodes are users"
        )
    return int(side)


def _nodes(nodes: Collection[Any]) -> NDArray[np.int64]:
    kinds = {isinstance(node, str) for node in nodes}
    if len(kinds) > 1:
        raise InputError("nodes must be all integers or all strings, got some of both")
    return ids_of(list(nodes))
