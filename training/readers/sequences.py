"""Users' items in order, the way S3-Rec and TIGER have Amazon reviews, with sampled negatives."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import ConfigError, InputError
from training.negatives import contains
from training.readers.paths import resolve

Integers = NDArray[np.int64]
PARTS = ("test", "validation", "train")
MAX_ROUNDS = 100  # a line still without a negative after these gets none


@dataclass(frozen=True)
class Sequences:
    """Reads lines "user item item …", oldest item first, and what is written about the items.

    Gives `user`, `item`, `label`, `position` (in the user's sequence, from 0), `text` and `part`:
    a user's last item is "test", the last but one "validation", those before "train".

    Where items come new, all that anyone did with them happens at the last position of the
    validation or the test part, as if they had not been on sale before.

    Each line is a positive. Its negative is the item of another line of the same part, new if it is
    new, drawn at random among those that the user's sequence does not hold: items and users are in
    negatives as often as in positives, so that neither tells anything alone.

    Args:
        path: of the sequences, integers.
        items: a TSV file with a column `item` and that of the text.
        text: that column.
        new: shares of the items that come new in validation and in test.
        seed: of the negatives, and of which items come new.
    """

    kind: ClassVar[str] = "sequences"
    path: str
    items: str
    text: str = "text"
    new: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.new) < 0 or sum(self.new) >= 1:
            raise ConfigError(f"data.new needs shares that leave items to train on, got {self.new}")

    def read(self) -> pl.DataFrame:
        """Returns the positives, user after user, then the negatives."""
        rng = np.random.default_rng(self.seed)
        users, items = self._lines()
        new = self._new(items, rng)
        left, positions = places(users, new)
        groups = np.minimum(left, 2) - len(PARTS) * (new < 0)
        lines, chosen = draw_negatives(users, items, groups, rng)
        every = np.concatenate([np.arange(len(users)), lines])
        shown = np.concatenate([items, chosen])
        frame = pl.DataFrame(
            {
                "user": users[every],
                "item": shown,
                "label": (np.arange(len(every)) < len(users)).astype(np.int8),
                "position": positions[every],
                "part": np.array(PARTS)[np.minimum(left, 2)[every]],
            }
        )
        return frame.join(self._texts(), on="item", how="left", maintain_order="left")

    def _lines(self) -> tuple[Integers, Integers]:
        path = resolve(self.path)
        lengths, values = [], []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                values.append(np.array(line.split(), np.int64))
            except (ValueError, OverflowError) as error:
                raise InputError(f"{path}, line {number}: expected integers: {error}") from None
            lengths.append(max(len(values[-1]) - 1, 0))
        if not sum(lengths):
            raise InputError(f"expected lines 'user item item …' in {path}, found no item")
        users = np.array([line[0] for line in values if len(line)])
        kept = np.array([n for n, line in zip(lengths, values, strict=True) if len(line)])
        return np.repeat(users, kept), np.concatenate([line[1:] for line in values])

    def _new(self, items: Integers, rng: np.random.Generator) -> Integers:
        """Gives each line the 1 of validation or 0 of test if its item comes new, else -1."""
        distinct, inverse = np.unique(items, return_inverse=True)
        drawn = rng.random(len(distinct))
        new = np.where(drawn < sum(self.new), 0, -1)
        new[drawn < self.new[0]] = 1
        return new[inverse]

    def _texts(self) -> pl.DataFrame:
        path = resolve(self.items)
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema_length=None)
        for name in ("item", self.text):
            if name not in frame.columns:
                raise InputError(f"{path} has no column {name!r}; {near(name, frame.columns)}")
        return frame.select(pl.col("item").cast(pl.Int64), pl.col(self.text).alias("text"))


def places(users: Integers, new: Integers) -> tuple[Integers, Integers]:
    """Gives N lines how many of their user's come after them, and their position, both (N,).

    Args:
        users: (N,), lines of a user in order.
        new: (N,), what comes after a line of a new item; -1 for other lines, that count alone.

    Example:
        >>> left, positions = places(np.array([7, 7, 7, 7]), np.array([-1, 0, -1, -1]))
        >>> left.tolist(), positions.tolist()
        ([2, 0, 1, 0], [0, 2, 1, 2])
    """
    order = np.argsort(users, kind="stable")
    _, inverse = np.unique(users[order], return_inverse=True)
    known = new[order] < 0
    sizes = np.bincount(inverse, known).astype(np.int64)
    earlier: Integers = np.cumsum(known) - known  # of all users
    first = np.cumsum(sizes) - sizes
    positions, left = np.empty((2, len(users)), np.int64)
    left[order] = np.where(known, sizes[inverse] - 1 - (earlier - first[inverse]), new[order])
    positions[order] = np.maximum(sizes[inverse] - 1 - left[order], 0)
    return left, positions


def draw_negatives(
    users: Integers, items: Integers, groups: Integers, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Draws an item for each of N lines from those of its group that its user does not have.

    Returns:
        The lines that got one, ascending, and their items.
    """
    user_codes, item_codes = (np.unique(a, return_inverse=True)[1] for a in (users, items))
    width = item_codes.max() + 1
    taken = np.unique(user_codes * width + item_codes)
    chosen = np.full(len(users), -1)
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        asking, candidates = own, rng.permutation(own)
        for _ in range(MAX_ROUNDS):
            if not len(asking):
                break
            pairs = user_codes[asking] * width + item_codes[candidates]
            is_free = ~contains(taken, pairs)
            chosen[asking[is_free]] = candidates[is_free]
            asking = asking[~is_free]
            candidates = rng.choice(own, len(asking))
    return np.flatnonzero(chosen >= 0), items[chosen[chosen >= 0]]
