"""Pictures of what came of a reproduction."""

import numpy as np
from matplotlib.axes import Axes

from training.reproduce.experiment import Rows


def bars_by_group(axes: Axes, rows: Rows, metric: str, heading: str) -> None:
    """Draws a bar a case "GROUP NAME", groups beside each other, with a line for the deviation."""
    groups = list(dict.fromkeys(case.split()[0] for case in rows))
    names = list(dict.fromkeys(case.split()[1] for case in rows))
    height = 0.8 / len(groups)
    for k, group in enumerate(groups):
        own = [row for case, row in rows.items() if case.split()[0] == group]
        places = np.array([names.index(row.case.split()[1]) for row in own]) + height * k
        deviations = [np.nan_to_num(row.std(metric)) for row in own]
        means = [row.mean(metric) for row in own]
        axes.barh(places, means, height, xerr=deviations, label=group)
    axes.set_yticks(np.arange(len(names)) + 0.4 - height / 2, names)
    axes.set(xlabel=heading)
    axes.invert_yaxis()
    axes.legend()
