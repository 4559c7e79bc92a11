"""Who maximizes the modularity: the native core, or igraph."""

import random
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import InputError
from recsys_embed.graphhash.interactions import Bipartite

Method = Literal["leiden", "louvain"]
Start = NDArray[np.uint32] | None
Find = Callable[[Bipartite, float, int, int, Start], NDArray[np.integer]]


def engine_named(engine: str, method: Method) -> Find:
    """Gives the function that finds labels (U + I,) at a resolution.

    Raises:
        InputError: for a name that there is not, or Louvain by igraph.
    """
    if method not in get_args(Method):
        raise InputError(f"method must be leiden or louvain, got {method!r}")
    if engine == "native":
        return _native_leiden if method == "leiden" else _native_louvain
    if engine != "igraph":
        raise InputError(f"engine must be native or igraph, got {engine!r}")
    if method == "louvain":
        raise InputError(
            "igraph's Louvain has no bipartite null model; take its leiden, or the native engine"
        )
    return _igraph_leiden


def _native_leiden(
    graph: Bipartite, resolution: float, iterations: int, seed: int, start: Start
) -> NDArray[np.integer]:
    return _native(graph, resolution, True, iterations, seed, start)


def _native_louvain(
    graph: Bipartite, resolution: float, iterations: int, seed: int, start: Start
) -> NDArray[np.integer]:
    return _native(graph, resolution, False, iterations, seed, start)


def _native(
    graph: Bipartite, resolution: float, refines: bool, iterations: int, seed: int, start: Start
) -> NDArray[np.integer]:
    return native.maximize_modularity(
        graph.offsets,
        graph.items,
        graph.weights,
        len(graph.item_ids),
        resolution,
        refines,
        iterations,
        seed,
        start,
    )


def _igraph_leiden(
    graph: Bipartite, resolution: float, iterations: int, seed: int, start: Start
) -> NDArray[np.integer]:
    """Users point at items: out-weights are the users' degrees, in-weights the items'.

    The directed constant Potts model at resolution / m is then Barber's modularity times m.
    """
    import igraph

    num_users, num_items = len(graph.user_ids), len(graph.item_ids)
    ends = np.stack([graph.users, graph.items + num_users], 1)
    directed = igraph.Graph(num_users + num_items, ends, directed=True)
    weighs = np.concatenate([graph.user_degrees, np.zeros(num_items)])
    weighs_in = np.concatenate([np.zeros(num_users), graph.item_degrees])
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = directed.community_leiden(
            "CPM",
            weights=None if graph.weights is None else graph.weights.tolist(),
            resolution=resolution / graph.total_weight,
            initial_membership=None if start is None else start.tolist(),
            n_iterations=iterations,
            node_weights=weighs.tolist(),
            node_in_weights=weighs_in.tolist(),
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.array(found.membership, np.uint32)
