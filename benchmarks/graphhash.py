"""GraphHash: time, memory and modularity on Gowalla and on 20 M edges with planted communities.

`python -m benchmarks.graphhash [--quick] [--json FILE]`. Gowalla is looked for in the folder that
RECSYS_DATA names; both sides begin with its sparse matrix and take the same resolution.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sknetwork.clustering import Louvain

from benchmarks.measure import Result, parser, report, seconds
from benchmarks.planted import RESOLUTION, probe
from recsys_embed.graphhash import Clustering, cluster, from_adjacency, from_scipy, modularity
from training.readers.paths import data_root

GOWALLA_RESOLUTION = 200.0
EDGES, QUICK_EDGES = 20_000_000, 1_000_000
MAX_S, MAX_GIB = 300.0, 8.0


def on_gowalla(rounds: int = 5) -> Iterator[Result]:
    """Measures ours against scikit-network's Louvain and igraph's Leiden, in turn.

    Quality is Barber's modularity of what each finds, counted by one function for all.
    """
    path = data_root() / "gowalla" / "train.txt"
    if not path.exists():
        print(f"no Gowalla at {path}; set RECSYS_DATA to the folder that holds gowalla/train.txt")
        return
    graph = from_adjacency(path)
    ones = np.ones(graph.num_edges)
    matrix = csr_matrix((ones, graph.items, graph.offsets))
    sides: dict[str, Callable[[csr_matrix], Any]] = {
        "ours": lambda given: _ours(given, "native"),
        "igraph": lambda given: _ours(given, "igraph"),
        "scikit_network": lambda given: _scikit_network(given),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            times[name].append(seconds(run, matrix))
    quality = {
        name: modularity(graph, *run(matrix), GOWALLA_RESOLUTION) for name, run in sides.items()
    }
    own = statistics.median(times["ours"])
    yield Result("graphhash_s_per_medge_gowalla", own / graph.num_edges * 1e6, "s", own)
    yield from _against("scikit_network", times, quality, True)
    yield from _against("igraph", times, quality, False)


def _against(
    peer: str, times: dict[str, list[float]], quality: dict[str, float], is_target: bool
) -> Iterator[Result]:
    goal = 1.0 if is_target else None
    pairs = list(zip(times["ours"], times[peer], strict=True))
    ratio = statistics.median(own / theirs for own, theirs in pairs)
    medians = (statistics.median(times[name]) for name in ("ours", peer))
    yield Result(f"graphhash_vs_{peer}_time", ratio, "s", *medians, goal, True)
    key = "graphhash_modularity_ratio" if is_target else f"graphhash_modularity_ratio_{peer}"
    yield Result(
        key, quality["ours"] / quality[peer], "modularity", quality["ours"], quality[peer], goal
    )


def _ours(matrix: csr_matrix, engine: str) -> tuple[np.ndarray, np.ndarray]:
    found: Clustering = cluster(from_scipy(matrix), GOWALLA_RESOLUTION, engine=engine)
    return found.users.clusters, found.items.clusters


def _scikit_network(matrix: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    found = Louvain(resolution=GOWALLA_RESOLUTION).fit(matrix, force_bipartite=True)
    return found.labels_row_, found.labels_col_


def on_planted(num_edges: int = EDGES) -> Iterator[Result]:
    """Measures a generated graph in a process of its own: time, peak memory, agreement."""
    found = probe(num_edges)
    yield Result("graphhash_s_per_medge", found["s"] / found["edges"] * 1e6, "s", found["s"])
    is_whole = num_edges >= EDGES  # the targets are for 20 M edges
    for key, unit, goal in (("s", "s", MAX_S), ("peak_gib", "GiB", MAX_GIB)):
        yield Result(
            f"graphhash_{key}", found[key], unit, target=goal * is_whole or None, at_most=True
        )
    yield Result("graphhash_nmi_users", found["nmi_users"], "NMI")
    yield Result("graphhash_nmi_items", found["nmi_items"], "NMI")


def measure(quick: bool) -> Sequence[Result]:
    """Measures everything; about a minute, quick a few seconds."""
    return [
        *on_gowalla(3 if quick else 7),
        *on_planted(QUICK_EDGES if quick else EDGES),
    ]


def main() -> None:
    """Prints the figures."""
    options = parser(__doc__ or "").parse_args()
    settings = {
        "gowalla_resolution": GOWALLA_RESOLUTION,
        "planted_edges": QUICK_EDGES if options.quick else EDGES,
        "planted_resolution": RESOLUTION,
    }
    report("GraphHash", measure(options.quick), settings, options.json)


if __name__ == "__main__":
    main()
