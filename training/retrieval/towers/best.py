"""The items that towers rank best, among all of them."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 1024
Score = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def best_items(score: Score, users: Tensor, items: Tensor, k: int) -> NDArray[np.int64]:
    """Gives the k items of the highest scores to each user, best first, int64 (U, K).

    Args:
        score: gives (B, I) for blocks of users and all items, as `Towers.scores` does.
        users: vectors (U, ...), one or several each.
        items: vectors (I, D).
        k: how many; all items if there are fewer.

    Example:
        >>> best_items(lambda u, i: u @ i.T, torch.eye(2), torch.eye(2), k=1)
        array([[0],
               [1]])
    """
    most = min(k, len(items))
    found = [
        score(users[start : start + BLOCK], items).topk(most).indices.numpy()
        for start in range(0, len(users), BLOCK)
    ]
    return np.concatenate(found) if found else np.empty((0, most), np.int64)
