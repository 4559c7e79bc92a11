"""Items by how often training showed them: head, torso, tail, and those never seen."""

import numpy as np
from numpy.typing import NDArray

SEGMENTS = ("head", "torso", "tail", "unseen")
SHARES = (0.25, 0.75)  # of impressions: a quarter, a half, a quarter


def segments(items: NDArray[np.int64], shown: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Tells which of N events are about an item of each of SEGMENTS, (N,) each.

    The items shown most that together have the first quarter of all impressions are the head, those
    that have the next half the torso, the other items that were shown the tail.

    Zheng et al., arXiv 2504.02137.

    Args:
        items: of the events, (N,).
        shown: the item of each impression of training, (M,).

    Example:
        >>> found = segments(np.array([1, 2, 3, 4]), shown=np.array([1, 1, 2, 2, 2, 2, 3, 1]))
        >>> {name: np.flatnonzero(mask).tolist() for name, mask in found.items()}
        {'head': [1], 'torso': [0], 'tail': [2], 'unseen': [3]}
    """
    ids, counts = np.unique(shown, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    before = np.empty(len(ids))
    before[order] = (np.cumsum(counts[order]) - counts[order]) / max(len(shown), 1)
    places = np.append(np.searchsorted(SHARES, before, side="right"), len(SHARES) + 1)
    at = np.searchsorted(ids, items)
    known = np.isin(items, ids)
    of_event = places[np.where(known, at, len(ids))]
    return {name: of_event == k for k, name in enumerate(SEGMENTS)}
