"""A picture of AUC by segment: a panel a data set, a mark a method, a line for the deviation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reproduce.drawing import MARKERS
from training.reproduce.experiment import Row, Rows

WIDTH = 0.8


def draw_segments(
    rows: Rows, sets: Sequence[str], metrics: Sequence[tuple[str, str]], path: Path
) -> None:
    """Draws every metric of every case "SET METHOD" into a picture at `path`."""
    figure = Figure(figsize=(5 * len(sets), 5), layout="constrained")
    panels = figure.subplots(1, len(sets), squeeze=False)[0]
    for axes, name in zip(panels, sets, strict=True):
        own = [row for case, row in rows.items() if case.split()[0] == name]
        for place, row in enumerate(own):
            _marks(axes, row, metrics, WIDTH * ((place + 0.5) / len(own) - 0.5), place)
        axes.axhline(0.5, color="0.8", zorder=0)
        axes.set_xticks(np.arange(len(metrics)), [heading for _, heading in metrics])
        axes.set(title=name, ylabel="AUC of the test part")
    panels[0].legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)


def _marks(
    axes: Axes, row: Row, metrics: Sequence[tuple[str, str]], offset: float, place: int
) -> None:
    axes.errorbar(
        np.arange(len(metrics)) + offset,
        [row.mean(name) for name, _ in metrics],
        [np.nan_to_num(row.std(name)) for name, _ in metrics],
        marker=MARKERS[place % len(MARKERS)],
        linestyle="none",
        label=row.case.split()[1],
    )
