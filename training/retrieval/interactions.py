"""Pairs of users and items, divided into what is learned, what decides and what is tested."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Int = NDArray[np.int64]


class Pairs(NamedTuple):
    """Interactions: `users` and `items`, both int64 (P,), numbered from 0."""

    users: Int
    items: Int

    def only(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Gives the pairs that a mask (P,) chooses."""
        return Pairs(self.users[chosen], self.items[chosen])


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, eq=False)
class Interactions:
    """The pairs of `num_users` users and `num_items` items, in three parts."""

    num_users: int
    num_items: int
    train: Pairs
    validation: Pairs
    test: Pairs

    @property
    def known(self) -> Pairs:
        """The pairs that a recommendation on the test part need not repeat: train, validation."""
        parts = zip(self.train, self.validation, strict=True)
        return Pairs(*(np.concatenate(sides) for sides in parts))

    def carve(self, share: float, seed: int = 0) -> "Interactions":
        """Moves a share of each user's train pairs, rounded down, into the validation part.

        Raises:
            InputError: for a share outside [0, 1), or a second carving.

        Example:
            >>> ten = Pairs(np.zeros(10, np.int64), np.arange(10))
            >>> parts = Interactions(1, 10, ten, NO_PAIRS, NO_PAIRS).carve(0.2)
            >>> len(parts.train.items), len(parts.validation.items)
            (8, 2)
        """
        if not 0 <= share < 1 or len(self.validation.users):
            raise InputError(
                f"a share in [0, 1) can be carved once, got {share} with"
                f" {len(self.validation.users)} validation pairs"
            )
        moved = _share_of_each(self.train.users, share, self.num_users, seed)
        return replace(self, train=self.train.only(~moved), validation=self.train.only(moved))

    def deal_anew(self, share: float, seed: int = 0) -> "Interactions":
        """Puts train and test together, and a random share of each user's pairs into the test part.

        Raises:
            InputError: if a validation part was carved before.
        """
        if len(self.validation.users):
            raise InputError("pairs are dealt anew before a validation part is carved from them")
        sides = zip(self.train, self.test, strict=True)
        every = Pairs(*(np.concatenate(both) for both in sides))
        moved = _share_of_each(every.users, share, self.num_users, seed)
        return replace(self, train=every.only(~moved), test=every.only(moved))

    def of_users(self, number: int, items_at_least: int = 5) -> "Interactions":
        """Keeps the first users, and the items that have enough train pairs with them."""
        parts = [p.only(p.users < number) for p in (self.train, self.validation, self.test)]
        kept = np.bincount(parts[0].items, minlength=self.num_items) >= items_at_least
        new = np.cumsum(kept) - 1
        train, validation, test = (
            Pairs(p.users, new[p.items]) for p in (p.only(kept[p.items]) for p in parts)
        )
        return Interactions(min(number, self.num_users), int(kept.sum()), train, validation, test)


def _share_of_each(users: Int, share: float, num_users: int, seed: int) -> NDArray[np.bool_]:
    """Chooses a share of each user's pairs at random, rounded down."""
    order = np.lexsort((np.random.default_rng(seed).random(len(users)), users))
    counts = np.bincount(users, minlength=num_users)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(order), bool)
    chosen[order] = place < np.repeat((counts * share).astype(np.int64), counts)
    return chosen


def read_adjacency(folder: Path) -> Interactions:
    """Reads train.txt and test.txt: a line is a user and their items, all numbers from 0.

    Raises:
        InputError: for a file that is absent, empty or not of such lines.
    """
    train, test = (_read(folder / name) for name in ("train.txt", "test.txt"))
    num_users, num_items = (
        1 + max(int(part[side].max(initial=-1)) for part in (train, test)) for side in (0, 1)
    )
    if not len(train.users):
        raise InputError(f"expected pairs in {folder / 'train.txt'}, found none")
    return Interactions(num_users, num_items, train, NO_PAIRS, test)


def _read(file: Path) -> Pairs:
    if not file.is_file():
        raise InputError(f"expected interactions in {file}, but there is no such file")
    try:
        lines = [np.array(line.split(), np.int64) for line in file.read_text().splitlines()]
    except ValueError as error:
        raise InputError(f"expected lines of numbers in {file}: {error}") from None
    lines = [line for line in lines if len(line)]
    if any(int(line.min()) < 0 for line in lines):
        raise InputError(f"users and items in {file} must be numbered from 0, found below")
    users = [np.repeat(line[0], len(line) - 1) for line in lines]
    return Pairs(
        *(np.concatenate([NO_PAIRS.users, *side]) for side in (users, [line[1:] for line in lines]))
    )
