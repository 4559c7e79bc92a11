"""What a clustering looks like: sizes, the structure of its biggest clusters, the way to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from recsys_embed.graphhash.clusters import Clustering, Part, clusters_of
from recsys_embed.graphhash.interactions import Bipartite

BIGGEST = 40


def draw(
    path: Path | str, graph: Bipartite, clustering: Clustering, tried: Sequence[Clustering] = ()
) -> None:
    """Draws a clustering as a PNG of three panels.

    Ids a row, from the fullest row down; the interactions between users and items of the clusters
    with the most of them, over what chance would give; modularity and rows over the resolutions
    that were tried.

    Args:
        path: the file to write.
        graph: what was clustered.
        clustering: the clusters.
        tried: others, found on the way.
    """
    figure = Figure(figsize=(15, 4.5), layout="constrained")
    sizes, blocks, curve = figure.subplots(1, 3)
    _draw_sizes(sizes, clustering)
    _draw_blocks(blocks, block_lift(graph, clustering))
    _draw_curve(curve, [*tried, clustering])
    figure.savefig(path, dpi=110)


def block_lift(
    graph: Bipartite, clustering: Clustering, biggest: int = BIGGEST
) -> NDArray[np.float64]:
    """Gives w_ab * m / (U_a I_b) for the users of cluster a and the items of b, (K, K).

    Args:
        graph: what was clustered.
        clustering: the clusters; those with users and items are ranked by their summed degrees.
        biggest: the most clusters to show.
    """
    users, items = clustering.users, clustering.items
    order = np.argsort(-users.weights - items.weights, kind="stable")
    top = order[(users.weights[order] > 0) & (items.weights[order] > 0)][:biggest]
    place = np.full(clustering.num_clusters + 1, -1)  # the last one is that of isolated ids
    place[top] = np.arange(len(top))
    a = place[clusters_of(users, graph.user_ids)[graph.users]]
    b = place[clusters_of(items, graph.item_ids)[graph.items]]
    shown = (a >= 0) & (b >= 0)
    weights = np.ones(graph.num_edges) if graph.weights is None else graph.weights
    sums = np.bincount(a[shown] * len(top) + b[shown], weights[shown], len(top) ** 2)
    chance = np.outer(users.weights[top], items.weights[top]) / graph.total_weight
    return sums.reshape(len(top), len(top)) / chance


def _draw_sizes(axes: Axes, clustering: Clustering) -> None:
    parts: dict[str, Part] = {"users": clustering.users, "items": clustering.items}
    for name, part in parts.items():
        sizes = np.sort(np.bincount(part.known_rows))[::-1]
        sizes = sizes[sizes > 0]
        label = f"{len(part.known):,} {name} in {len(sizes):,} rows"
        axes.loglog(np.arange(len(sizes)) + 1, sizes, ".", label=label)
    axes.set(title="sizes", xlabel="row, the fullest first", ylabel="ids that share it")
    axes.legend()


def _draw_blocks(axes: Axes, lift: NDArray[np.float64]) -> None:
    axes.set(
        title=f"the {len(lift)} biggest clusters with users and items",
        xlabel="items of cluster",
        ylabel="users of cluster",
    )
    if len(lift) == 0:
        return
    norm = LogNorm(0.01, max(float(lift.max()), 1.0))
    shown = axes.imshow(np.maximum(lift, 0.01), cmap="magma", norm=norm)
    axes.figure.colorbar(shown, ax=axes, label="interactions over those expected by chance")


def _draw_curve(axes: Axes, tried: Sequence[Clustering]) -> None:
    points = sorted(tried, key=lambda clustering: clustering.resolution)
    resolutions = [point.resolution for point in points]
    axes.semilogx(resolutions, [point.modularity for point in points], "o-", color="C2")
    chosen = tried[-1]
    axes.semilogx([chosen.resolution], [chosen.modularity], "*", color="C3", markersize=15)
    axes.set(
        title=f"resolution {chosen.resolution:.4g}, modularity {chosen.modularity:.4f}",
        xlabel="resolution",
        ylabel="modularity (line)",
    )
    rows = axes.twinx()
    rows.loglog(
        resolutions, [p.users.num_rows + p.items.num_rows for p in points], "s:", color="C0"
    )
    rows.set_ylabel("rows of users and items (dotted)")
