"""Batches of pairs for two towers: each basket once, each item once, and who is no negative."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_embed.errors import ConfigError
from training.retrieval.frequency import StreamingFrequency
from training.retrieval.scoring import Scored, mixture
from training.retrieval.towers.baskets import Baskets

Ints = NDArray[np.int64]
LEAST_COUNT = 0.5  # of an item never sold in the train part, which may still be drawn uniformly


class Chances(Protocol):
    """Knows how often items come."""

    def update(self, items: Ints) -> None:
        """Hears of a batch's items (n,)."""
        ...

    def log_q(self, items: Ints) -> NDArray[np.floating]:
        """Gives the log of the chance that one draw is each item (n,)."""
        ...


class Counted:
    """Knows the shares of items in the train part, which are those of its batches in any order."""

    def __init__(self, items: Ints, num_items: int) -> None:
        counts = np.bincount(items, minlength=num_items)
        self._log_q = np.log(np.maximum(counts, LEAST_COUNT) / max(len(items), 1))

    def update(self, items: Ints) -> None:
        """Knows already."""

    def log_q(self, items: Ints) -> NDArray[np.floating]:
        """Gives the logs of the shares (n,)."""
        return self._log_q[items]


@dataclass(frozen=True)
class NegativesFrom:
    """Says which items stand beside a basket as negatives, besides those of the batch.

    Args:
        uniform: drawn from all items alike, in each batch.
        hard: for each pair, drawn from those that the towers of the epoch before ranked within
            `band`; from the second epoch on.
        band: ranks of hard negatives, first and behind the last; nearer ones may be what the user
            wants and has not bought yet.
        hard_weight: of their loss beside the others'.
        frequency: how the chances of items are known: by their "counts" in the train part, or
            "streaming", estimated from the batches so far, as a stream without an end needs it.
    """

    uniform: int = 0
    hard: int = 0
    band: tuple[int, int] = (50, 500)
    hard_weight: float = 0.1
    frequency: Literal["counts", "streaming"] = "counts"

    def __post_init__(self) -> None:
        if self.uniform < 0 or self.hard < 0 or self.hard_weight < 0:
            raise ConfigError(
                "negatives need uniform, hard and hard_weight of at least 0,"
                f" got {self.uniform}, {self.hard} and {self.hard_weight}"
            )
        if not 0 <= self.band[0] < self.band[1]:
            raise ConfigError(f"negatives.band must ascend from 0 or more, got {self.band}")


class Batch(NamedTuple):
    """P pairs of R baskets, beside M drawn items; U distinct items in all.

    Args:
        baskets: int64 (R,), numbers of the distinct baskets.
        items: int64 (U,), numbers of the distinct items.
        rows: int64 (P,), which basket each pair is of.
        own: int64 (P,), which item each pair is of.
        drawn: int64 (M,), which item each negative is.
        held: bool (R, U), which of the items each basket holds: no negatives of it.
        log_q: (M,), log of the chance that one draw is that negative.
        positive_log_q: (P,), the same of the pairs' items.
        excluded_q: (R,), the chance that one draw is any item of the basket.
        hard: int64 (P, H), which items are each pair's hard negatives.
    """

    baskets: Ints
    items: Ints
    rows: Tensor
    own: Tensor
    drawn: Tensor
    held: Tensor
    log_q: Tensor
    positive_log_q: Tensor
    excluded_q: Tensor
    hard: Tensor

    def scored(self, scores: Tensor) -> Scored:
        """Makes of the scores (R, U) what a loss judges."""
        return Scored(
            scores[self.rows, self.own],
            scores[:, self.drawn],
            self.rows,
            self.held[:, self.drawn],
            self.log_q,
            self.positive_log_q,
            self.excluded_q,
        )

    def hard_scored(self, scores: Tensor) -> Scored:
        """Makes of the scores (R, U) pairs beside their hard negatives."""
        cells = self.rows[:, None], self.hard
        rows = torch.arange(len(self.own))
        return Scored(scores[self.rows, self.own], scores[cells], rows, self.held[cells])


class Sampler:
    """Draws the batches of an epoch from the pairs of some baskets.

    Args:
        baskets: of the whole log.
        chosen: numbers of the baskets that are learned, ascending.
        num_items: those of the catalogue numbered below it are drawn; it may grow.
        negatives: which are drawn besides.
        seed: of the draws and of the order.
        chances: that are known already.
    """

    def __init__(
        self,
        baskets: Baskets,
        chosen: Ints,
        num_items: int,
        negatives: NegativesFrom,
        seed: int,
        chances: Chances | None = None,
    ) -> None:
        self._baskets, self._negatives = baskets, negatives
        self.num_items, self.num_baskets = num_items, int(chosen.max(initial=-1)) + 1
        self.of_basket, self.of_item = baskets.pairs(chosen)
        is_counted = negatives.frequency == "counts"
        self._chances = chances or (
            Counted(self.of_item, num_items) if is_counted else StreamingFrequency(seed=seed)
        )
        self._column = np.full(max(num_items, int(baskets.items.values.max(initial=-1)) + 1), -1)
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Counts the pairs."""
        return len(self.of_item)

    def epoch(
        self, size: int, shuffled: bool, hard: NDArray[np.int32] | None = None
    ) -> Iterator[Batch]:
        """Yields all pairs, `size` at a time, those of a basket one after the other.

        So a batch has few baskets, each of which is scored once for all its items.

        Args:
            size: pairs a batch.
            shuffled: whether baskets come in a new order; else in that of time.
            hard: int32 (B, H) by basket, from which hard negatives are drawn.
        """
        order = self._shuffled() if shuffled else np.arange(len(self))
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size], hard)

    def batch(self, pairs: Ints, hard: NDArray[np.int32] | None = None) -> Batch:
        """Makes a batch of pairs, by their numbers."""
        baskets, rows = np.unique(self.of_basket[pairs], return_inverse=True)
        own = self.of_item[pairs]
        self._chances.update(own)
        drawn = np.concatenate([own, self._rng.integers(0, self.num_items, self._uniform)])
        mined = self._mined(hard, self.of_basket[pairs])
        items = np.unique(np.concatenate([drawn, mined.ravel()]))
        self._column[items] = np.arange(len(items))
        batch = self._batch(baskets, rows, items, own, drawn, mined)
        self._column[items] = -1
        return batch

    def _shuffled(self) -> Ints:
        places = self._rng.permutation(self.num_baskets)
        return np.argsort(places[self.of_basket], kind="stable")

    def _batch(
        self, baskets: Ints, rows: Ints, items: Ints, own: Ints, drawn: Ints, mined: Ints
    ) -> Batch:
        own_q, drawn_q = (torch.from_numpy(self._chances.log_q(x)).float() for x in (own, drawn))
        held, q = self._held(baskets, len(items))
        if self._uniform:
            share = self._uniform / len(drawn)
            own_q, drawn_q = (mixture(x, share, self.num_items) for x in (own_q, drawn_q))
            sizes = np.diff(self._baskets.items.offsets)[baskets]
            q = (1 - share) * q + share * sizes / self.num_items
        return Batch(
            baskets,
            items,
            torch.from_numpy(rows),
            torch.from_numpy(self._column[own]),
            torch.from_numpy(self._column[drawn]),
            torch.from_numpy(held),
            drawn_q,
            own_q,
            torch.from_numpy(q).float(),
            torch.from_numpy(self._column[mined]),
        )

    @property
    def _uniform(self) -> int:
        return self._negatives.uniform

    def _held(self, baskets: Ints, width: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Says which of the batch's items each basket holds (R, U), and the chance of its items."""
        of_basket, of_item = self._baskets.pairs(baskets)
        rows, columns = np.searchsorted(baskets, of_basket), self._column[of_item]
        held = np.zeros((len(baskets), width), bool)
        there = columns >= 0
        held[rows[there], columns[there]] = True
        chances = np.exp(self._chances.log_q(of_item)).astype(np.float64)
        return held, np.bincount(rows, chances, len(baskets)).astype(np.float64)

    def _mined(self, hard: NDArray[np.int32] | None, baskets: Ints) -> Ints:
        if hard is None or not self._negatives.hard:
            return np.empty((len(baskets), 0), np.int64)
        at = self._rng.integers(0, hard.shape[1], (len(baskets), self._negatives.hard))
        return hard[baskets[:, None], at].astype(np.int64)
