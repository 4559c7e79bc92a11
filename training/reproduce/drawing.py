"""Pictures of what came of a reproduction."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reproduce.experiment import Row, Rows

MARKERS = "osv^D<>Pphd*X"


def bars_by_group(axes: Axes, rows: Rows, metric: str, heading: str) -> None:
    """Draws a bar a case "GROUP NAME", groups beside each other, with a line for the deviation."""
    groups = list(dict.fromkeys(case.split()[0] for case in rows))
    names = list(dict.fromkeys(case.partition(" ")[2] for case in rows))
    height = 0.8 / len(groups)
    for k, group in enumerate(groups):
        own = [row for case, row in rows.items() if case.split()[0] == group]
        places = np.array([names.index(row.case.partition(" ")[2]) for row in own]) + height * k
        deviations = [np.nan_to_num(row.std(metric)) for row in own]
        means = [row.mean(metric) for row in own]
        axes.barh(places, means, height, xerr=deviations, label=group)
    axes.set_yticks(np.arange(len(names)) + 0.4 - height / 2, names)
    axes.set(xlabel=heading)
    axes.invert_yaxis()
    axes.legend()


def beside_published(axes: Axes, rows: Rows, metric: str, heading: str) -> None:
    """Draws a bar a case with its deviation, and a diamond where a figure was published."""
    places = np.arange(len(rows))
    deviations = [np.nan_to_num(row.std(metric)) for row in rows.values()]
    axes.barh(
        places, [row.mean(metric) for row in rows.values()], xerr=deviations, label="obtained"
    )
    told = [
        (k, row.published[metric]) for k, row in enumerate(rows.values()) if metric in row.published
    ]
    if told:
        axes.plot([value for _, value in told], [k for k, _ in told], "kD", label="published")
    axes.set_yticks(places, list(rows))
    axes.set(xlabel=heading)
    axes.invert_yaxis()
    axes.legend(loc="lower left")


def by_metric(axes: Axes, rows: Rows, metrics: Mapping[str, str], heading: str) -> None:
    """Draws a bar for each case and metric, metrics of a case beside each other."""
    height = 0.8 / len(metrics)
    for k, (metric, name) in enumerate(metrics.items()):
        means = [row.mean(metric) for row in rows.values()]
        axes.barh(
            np.arange(len(rows)) + (k - (len(metrics) - 1) / 2) * height, means, height, label=name
        )
    axes.set(xlabel=heading)
    axes.legend()


def pareto(rows: Rows, metric: str, heading: str, path: Path) -> None:
    """Draws a metric over the parameters of cases "GROUP NAME", a line a name, and the frontier."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    over_size(axes, rows, metric, lambda row: row.parameters)
    best = frontier([(row.parameters, row.mean(metric)) for row in rows.values()])
    axes.step(*zip(*best, strict=True), where="post", color="0.8", linewidth=6, zorder=0)
    axes.set(xscale="log", xlabel="parameters, remaps included", ylabel=heading)
    axes.legend(ncols=2, fontsize="small")
    figure.savefig(path, dpi=120)


def over_size(
    axes: Axes,
    rows: Rows,
    metric: str,
    size_of: Callable[[Row], float],
    name_of: Callable[[str], str] = lambda case: case.split()[1],
) -> None:
    """Draws a metric over a size, a line with deviations for each name of cases."""
    names = list(dict.fromkeys(map(name_of, rows)))
    for k, name in enumerate(names):
        own = sorted((r for case, r in rows.items() if name_of(case) == name), key=size_of)
        axes.errorbar(
            [size_of(row) for row in own],
            [row.mean(metric) for row in own],
            [np.nan_to_num(row.std(metric)) for row in own],
            marker=MARKERS[k % len(MARKERS)],
            color=f"C{k % 10}",
            linestyle="-" if k < 10 else "--",
            label=name,
        )


def frontier(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Gives the points (size, value) above which no smaller one lies.

    Example:
        >>> frontier([(3, 0.9), (1, 0.5), (2, 0.4)])
        [(1, 0.5), (3, 0.9)]
    """
    best: list[tuple[float, float]] = []
    for size, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or value > best[-1][1]:
            best.append((size, value))
    return best
