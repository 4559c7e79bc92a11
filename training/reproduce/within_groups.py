"""Whether scores order each user's own events, apart from who the users are."""

import numpy as np
from numpy.typing import NDArray

from training.metrics import auc


def auc_within(
    scores: NDArray[np.floating], labels: NDArray[np.floating], groups: NDArray[np.int64]
) -> float:
    """Averages the AUC of each group by its number of events; those of one class are left out.

    NaN if none is left. Zhou et al., Deep Interest Network, arXiv 1706.06978, eq. 10, for users.

    Example:
        >>> scores, labels = np.array([1, 2, 8, 9, 7]), np.array([0, 1, 1, 0, 1])
        >>> auc_within(scores, labels, np.array([5, 5, 6, 6, 6]))
        0.4
    """
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    parts = [part for part in np.split(order, cuts) if len(part)]
    aucs = np.array([auc(scores[part], labels[part]) for part in parts])
    sizes, has = np.array([len(part) for part in parts]), ~np.isnan(aucs)
    return float(np.average(aucs[has], weights=sizes[has])) if has.any() else float("nan")
