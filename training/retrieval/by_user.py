"""Blocks of users with all their items, beside negatives that the block shares."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from training.retrieval.interactions import Pairs
from training.retrieval.scoring import Scored, mixture


class Block(NamedTuple):
    """Users of a step and their P pairs.

    Args:
        users: int64 (R,).
        numbers: float (R,), how many pairs each has.
        rows: int64 (P,), whose pair it is, in [0, R).
        items: int64 (P,).
    """

    users: Tensor
    numbers: Tensor
    rows: Tensor
    items: Tensor


class PairsByUser:
    """Gives the pairs of any users, and draws items as they occur in pairs, or from all alike.

    Args:
        pairs: at least one.
        num_items: of the catalogue.
        uniform: share of drawn items that come from all alike.
    """

    def __init__(self, pairs: Pairs, num_items: int, uniform: float) -> None:
        order = np.argsort(pairs.users, kind="stable")
        self._items = torch.from_numpy(pairs.items[order])
        self._counts = torch.from_numpy(np.bincount(pairs.users))
        self._starts = self._counts.cumsum(0) - self._counts
        self._num_items, self._uniform = num_items, uniform
        shown = torch.bincount(self._items, minlength=num_items).float()
        self.log_q = mixture((shown / len(self._items)).log(), uniform, num_items)  # (num_items,)

    def of(self, users: Tensor) -> Block:
        """Gives these users' pairs."""
        counts = self._counts[users]
        rows = torch.repeat_interleave(torch.arange(len(users)), counts)
        within = torch.arange(len(rows)) - torch.repeat_interleave(
            counts.cumsum(0) - counts, counts
        )
        return Block(users, counts.float(), rows, self._items[self._starts[users][rows] + within])

    def draw(self, number: int, generator: torch.Generator) -> Tensor:
        """Draws items, (number,) at most: uniform ones differ, so there are no more than items."""
        uniform = round(self._uniform * number)
        alike = torch.randperm(self._num_items, generator=generator)[:uniform]
        others = torch.randint(len(self._items), (number - uniform,), generator=generator)
        return torch.cat([alike, self._items[others]])


def scored_by_user(
    vectors: tuple[Tensor, Tensor], block: Block, drawn: Tensor, log_q: Tensor
) -> Scored:
    """Scores each pair of a block, and each of its users with each drawn item.

    Args:
        vectors: of all users (U, D) and all items (I, D).
        block: users and pairs.
        drawn: int64 (M,), items; those that a user has are excluded from the user's row.
        log_q: (I,), log of the chance that one draw is that item.
    """
    users, (_, items) = vectors[0][block.users], vectors
    excluded = _owned(block, drawn)
    own = log_q[block.items]
    return Scored(
        (users[block.rows] * items[block.items]).sum(1),
        users @ items[drawn].T,
        block.rows,
        excluded,
        log_q[drawn],
        own,
        torch.zeros(len(users)).index_add(0, block.rows, own.exp()),
    )


def _owned(block: Block, drawn: Tensor) -> Tensor:
    """Tells which drawn items each user has, bool (R, M)."""
    order = torch.argsort(drawn)
    ascending = drawn[order]
    first, end = (torch.searchsorted(ascending, block.items, right=r) for r in (False, True))
    times = end - first
    rows = torch.repeat_interleave(block.rows, times)
    within = torch.arange(len(rows)) - torch.repeat_interleave(times.cumsum(0) - times, times)
    owned = torch.zeros(len(block.users), len(drawn), dtype=torch.bool)
    owned[rows, order[torch.repeat_interleave(first, times) + within]] = True
    return owned
