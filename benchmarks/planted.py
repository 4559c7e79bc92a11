"""Bipartite graphs whose communities are known, and how long and how much finding them takes."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import peak_bytes

USERS_PER_EDGE, ITEMS_PER_EDGE, COMMUNITIES_PER_EDGE = 1 / 20, 1 / 40, 1 / 4000
INSIDE = 0.6  # of the edges; the others join anybody with anything
SPREAD = 1.0  # of the logarithm of how active users and how popular items are
RESOLUTION = 20.0

Ids = NDArray[np.int64]


class Planted(NamedTuple):
    """Distinct edges, and the community of each user and item."""

    users: Ids
    items: Ids
    of_users: Ids
    of_items: Ids


def planted(num_edges: int, seed: int = 0) -> Planted:
    """Draws a graph with at least `num_edges` distinct edges, a few percent more."""
    rng = np.random.default_rng(seed)
    num_users, num_items = int(num_edges * USERS_PER_EDGE), int(num_edges * ITEMS_PER_EDGE)
    communities = max(2, int(num_edges * COMMUNITIES_PER_EDGE))
    of_users = rng.integers(0, communities, num_users)
    of_items = np.sort(rng.integers(0, communities, num_items))
    active = np.cumsum(rng.lognormal(0, SPREAD, num_users))
    popular = np.concatenate([[0.0], np.cumsum(rng.lognormal(0, SPREAD, num_items))])
    begins = np.searchsorted(of_items, np.arange(communities + 1))
    pairs = np.zeros(0, np.int64)
    while len(pairs) < num_edges:
        count = int(1.15 * (num_edges - len(pairs))) + 1000
        users = np.searchsorted(active, rng.random(count) * active[-1])
        near, inside = of_users[users], rng.random(count) < INSIDE
        low = np.where(inside, popular[begins[near]], 0.0)
        high = np.where(inside, popular[begins[near + 1]], popular[-1])
        at = low + rng.random(count) * (high - low)
        items = np.minimum(np.searchsorted(popular, at, side="right") - 1, num_items - 1)
        pairs = np.union1d(pairs, users * num_items + items)
    users, items = np.divmod(pairs, num_items)
    order = rng.permutation(len(pairs))  # a log comes in no order
    return Planted(users[order], items[order], of_users, of_items)


def probe(num_edges: int) -> dict[str, float]:
    """Runs this module in a fresh process and gives what it found."""
    command = [sys.executable, "-m", "benchmarks.planted", str(num_edges)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def measure(num_edges: int) -> dict[str, float]:
    """Takes arrays of users and items to row maps; the peak is of the process from there on."""
    from sklearn.metrics import normalized_mutual_info_score

    from recsys_embed.graphhash import cluster, from_arrays

    drawn = planted(num_edges)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start = time.perf_counter()
    graph = from_arrays(drawn.users, drawn.items)
    built = time.perf_counter()
    found = cluster(graph, RESOLUTION)
    found.row_map("users"), found.row_map("items")
    end, peak = time.perf_counter(), peak_bytes()
    agreement = normalized_mutual_info_score
    return {
        "edges": graph.num_edges,
        "build_s": built - start,
        "s": end - start,
        "peak_gib": peak / 2**30,
        "clusters": found.num_clusters,
        "modularity": found.modularity,
        "nmi_users": float(agreement(drawn.of_users[graph.user_ids], found.users.clusters)),
        "nmi_items": float(agreement(drawn.of_items[graph.item_ids], found.items.clusters)),
    }


def main() -> None:
    """Prints the figures of one graph as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("num_edges", type=int)
    print(json.dumps(measure(options.parse_args().num_edges)))


if __name__ == "__main__":
    main()
