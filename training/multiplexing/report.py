"""What `recsys-train multiplexing` prints and draws."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from recsys_embed.row_maps.collisions import Collisions
from recsys_embed.row_maps.protocol import RowMap
from training.multiplexing.angles import Block


def collision_table(name: str, row_map: RowMap, found: Collisions) -> Table:
    """Lays out a table's collisions, feature by feature."""
    rows = "one an id" if row_map.num_rows is None else f"{row_map.num_rows:,}"
    table = Table(title=f"{name}: {row_map.kind}, rows {rows}")
    headings = (
        "feature",
        "ids",
        "lookups",
        "pairs in one row",
        "ids merged for good",
        "met others",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "feature" else "right")
    for feature, own in found.of_feature.items():
        met = sum(pairs for both, pairs in found.between.items() if feature in both)
        share = f"{own.merged:,} ({own.merged / max(1, own.ids):.1%})"
        figures = (f"{own.ids:,}", f"{own.lookups}", f"{own.pairs:,}", share, f"{met:,}")
        table.add_row(feature, *figures)
    return table


def as_json(found: Collisions) -> dict[str, Any]:
    """Gives plain values."""
    return {
        "features": {name: vars(own) for name, own in found.of_feature.items()},
        "between": {f"{a}, {b}": pairs for (a, b), pairs in found.between.items()},
    }


def draw(
    path: Path, found: Collisions, blocks: list[Block], degrees: NDArray[np.float64] | None
) -> None:
    """Draws collisions as bars and, where there are any, angles as a map."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12 if degrees is not None else 6, 5), layout="constrained")
    axes = figure.subplots(1, 2 if degrees is not None else 1, squeeze=False)[0]
    _draw_collisions(axes[0], found)
    if degrees is not None:
        image = axes[1].imshow(degrees, vmin=0, vmax=90, cmap="viridis")
        names = [block.feature for block in blocks]
        axes[1].set_xticks(range(len(names)), names, rotation=90)
        axes[1].set_yticks(range(len(names)), names)
        axes[1].set_title("angle between first-layer blocks (90°: meeting is harmless)")
        figure.colorbar(image, ax=axes[1], label="degrees")
    FigureCanvasAgg(figure).print_png(path)


def _draw_collisions(axes: Any, found: Collisions) -> None:
    names = list(found.of_feature)
    within = [found.of_feature[name].pairs for name in names]
    met = [sum(n for both, n in found.between.items() if name in both) for name in names]
    places = np.arange(len(names))
    axes.barh(places - 0.2, within, 0.4, label="with ids of the same feature (harm)")
    axes.barh(places + 0.2, met, 0.4, label="with ids of other features")
    axes.set_yticks(places, names)
    axes.set_xscale("symlog")
    axes.set_xlabel("pairs of ids in one row")
    axes.legend()
