"""Cluster interactions so that users, and items, that go together share rows.

Interactions become a graph of users and items, the graph clusters of high modularity (GraphHash,
arXiv 2412.17245), the clusters rows: of users in one table, of items in another. Tables are
Parquet, CSV or TSV with a column of users and one of items; without --user and --item, lines
"user item item ...". Lines without a user or an item are left out; an interaction that repeats
weighs more. The output folder gets

  users.rowmap, items.rowmap  the row maps for the tables' configs
  clustering.safetensors      what --refresh and --join begin with
  summary.json                what was read and found; after --refresh, what has changed
  picture.png                 sizes, the biggest clusters, modularity over resolution

examples:
  recsys-train graphhash data/online-retail --user customer_id --item description \\
      --rows 2000 --output runs/clusters
  recsys-train graphhash '$RECSYS_DATA/gowalla/train.txt' --resolution 200 --output runs/gowalla
  recsys-train graphhash old.parquet new.parquet --user u --item i \\
      --refresh runs/clusters --output runs/clusters-2
  recsys-train graphhash new.parquet --user u --item i --join runs/clusters --output runs/joined

How many rows: --resolution (the higher, the more), or exactly --rows of both together, or
--user-rows and --item-rows. --refresh clusters anew, from all interactions, beginning with old
clusters and leaving as many ids as possible in their rows; unless told otherwise there are as many
rows as before. --join leaves everybody where they are and gives new ids alone the cluster that
their first interactions vote for.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from recsys_embed.graphhash import Bipartite, Clustering, Refreshed, RowBudget

CLUSTERING = "clustering.safetensors"
MIN_POINTS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says what the command takes."""
    parser.add_argument("interactions", nargs="+", help="tables, or lines of adjacency")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--user", metavar="COLUMN", help="of a table: integers or strings")
    parser.add_argument("--item", metavar="COLUMN", help="of a table: integers or strings")
    parser.add_argument("--weight", metavar="COLUMN", help="of a table: numbers (1 each)")
    size = parser.add_argument_group("how many rows")
    size.add_argument("--resolution", type=float, metavar="R", help="of the modularity (1)")
    size.add_argument("--rows", type=int, metavar="N", help="of users and items together")
    size.add_argument("--user-rows", type=int, metavar="N", help="of users")
    size.add_argument("--item-rows", type=int, metavar="N", help="of items")
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--refresh", type=Path, metavar="DIR", help="an earlier run to begin with")
    before.add_argument("--join", type=Path, metavar="DIR", help="an earlier run to add ids to")
    how = parser.add_argument_group("how to cluster")
    how.add_argument("--method", choices=("leiden", "louvain"), default="leiden")
    how.add_argument("--engine", choices=("native", "igraph"), default="native")
    how.add_argument("--iterations", type=int, default=2, help="from the nodes up (2)")
    how.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--double", action="store_true", help="add a hashed row to each id's (DoubleGraphHash)"
    )


def run(options: argparse.Namespace) -> int:
    """Reads, clusters, writes the folder."""
    from rich.console import Console

    console = Console()
    graph, left_out = _read(options)
    console.print(
        f"{len(graph.user_ids):,} users, {len(graph.item_ids):,} items, {graph.num_edges:,}"
        f" distinct interactions ({graph.merged:,} repeated, {left_out:,} lines left out)",
        soft_wrap=True,
    )
    trials = Trials(console)
    start = time.perf_counter()
    with console.status("clustering"):
        clustering, refreshed = _cluster(options, graph, trials)
    seconds = time.perf_counter() - start
    if options.join is None:
        trials.complete(graph, clustering.resolution, _how(options))
    summary = {
        "users": len(graph.user_ids),
        "items": len(graph.item_ids),
        "interactions": graph.num_edges,
        "repeated": graph.merged,
        "left_out": left_out,
        "clusters": clustering.num_clusters,
        "user_rows": clustering.users.num_rows,
        "item_rows": clustering.items.num_rows,
        "resolution": clustering.resolution,
        "modularity": clustering.modularity,
        "seconds": round(seconds, 3),
        "trials": trials.points,
        "churn": _churn(refreshed),
        "options": {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()},
    }
    _write(options, graph, clustering, trials, summary)
    console.print(_sentences(summary), soft_wrap=True)
    return 0


class Trials:
    """Says each clustering that is tried, and keeps them for the picture."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self.tried: list[Clustering] = []

    def __call__(self, found: "Clustering") -> None:
        """Hears of one."""
        self.tried.append(found)
        self._console.print(
            f"  resolution {found.resolution:10.4g}: {found.users.num_rows:,} user rows,"
            f" {found.items.num_rows:,} item rows, modularity {found.modularity:.4f}",
            highlight=False,
        )

    def complete(self, graph: "Bipartite", resolution: float, how: dict[str, Any]) -> None:
        """Clusters at resolutions around one, where too few were tried to draw a curve."""
        from recsys_embed.graphhash import cluster

        if len(self.tried) >= MIN_POINTS:
            return
        self._console.print("resolutions around it, for the picture:")
        for factor in (1 / 16, 1 / 4, 4, 16):
            self(cluster(graph, resolution * factor, **how))

    @property
    def points(self) -> list[dict[str, float]]:
        """What was tried, as figures."""
        return [
            {
                "resolution": found.resolution,
                "user_rows": found.users.num_rows,
                "item_rows": found.items.num_rows,
                "modularity": found.modularity,
            }
            for found in self.tried
        ]


def _read(options: argparse.Namespace) -> "tuple[Bipartite, int]":
    from recsys_embed.errors import InputError
    from training.readers.pairs import read_adjacency, read_table

    if options.user and options.item:
        return read_table(options.interactions, options.user, options.item, options.weight)
    if options.user or options.item or options.weight:
        raise InputError("a table needs both --user COLUMN and --item COLUMN")
    return read_adjacency(options.interactions), 0


def _cluster(
    options: argparse.Namespace, graph: "Bipartite", trials: Trials
) -> "tuple[Clustering, Refreshed | None]":
    from recsys_embed.errors import InputError
    from recsys_embed.graphhash import (
        cluster,
        cluster_to_budget,
        join,
        read_clustering,
        refresh,
        with_old_rows,
    )

    budget = _budget(options)
    if budget is not None and options.resolution is not None:
        raise InputError("--resolution decides the number of rows; leave it or the rows out")
    how = _how(options)
    if options.join is not None:
        if budget is not None or options.resolution is not None:
            raise InputError("--join changes no rows; leave the resolution and the rows out")
        return join(read_clustering(options.join / CLUSTERING), graph), None
    if options.refresh is not None:
        old = read_clustering(options.refresh / CLUSTERING)
        if options.resolution is None:
            refreshed = refresh(old, graph, budget, report=trials, **how)
        else:
            new = cluster(graph, options.resolution, start=old, **how)
            refreshed = with_old_rows(old, new)
        return refreshed.clustering, refreshed
    if budget is not None:
        return cluster_to_budget(graph, budget, report=trials, **how), None
    return cluster(graph, options.resolution or 1.0, **how), None


def _how(options: argparse.Namespace) -> dict[str, Any]:
    return {key: getattr(options, key) for key in ("method", "engine", "iterations", "seed")}


def _budget(options: argparse.Namespace) -> "RowBudget | None":
    from recsys_embed.graphhash import RowBudget

    rows = options.user_rows, options.item_rows, options.rows
    return None if rows == (None, None, None) else RowBudget(*rows)


def _churn(refreshed: "Refreshed | None") -> dict[str, Any] | None:
    if refreshed is None:
        return None
    return {"users": asdict(refreshed.users), "items": asdict(refreshed.items)}


def _write(
    options: argparse.Namespace,
    graph: "Bipartite",
    clustering: "Clustering",
    trials: Trials,
    summary: dict[str, Any],
) -> None:
    from recsys_embed.graphhash import write_clustering
    from recsys_embed.graphhash.picture import draw
    from recsys_embed.row_maps.files import write_row_map

    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    write_clustering(folder / CLUSTERING, clustering)
    users = clustering.row_map("users", double=options.double, seed=options.seed)
    items = clustering.row_map("items", double=options.double, seed=options.seed)
    write_row_map(folder / "users.rowmap", users)
    write_row_map(folder / "items.rowmap", items)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    draw(folder / "picture.png", graph, clustering, trials.tried)


def _sentences(summary: dict[str, Any]) -> str:
    found = (
        f"{summary['clusters']:,} clusters: {summary['user_rows']:,} user rows and"
        f" {summary['item_rows']:,} item rows, modularity {summary['modularity']:.4f} at resolution"
        f" {summary['resolution']:.4g}, in {summary['seconds']:.2f} s"
    )
    lines = [found]
    for side, churn in (summary["churn"] or {}).items():
        lines.append(
            f"{side}: {churn['ids_kept']:,} in the same row, {churn['ids_moved']:,} in another,"
            f" {churn['ids_new']:,} new, {churn['ids_gone']:,} gone; {churn['rows_kept']:,} rows"
            f" kept, {churn['rows_new']:,} new, {churn['rows_freed']:,} freed"
        )
    return "\n".join([*lines, f"row maps and all else in {summary['options']['output']}"])
