"""What did not happen: for each event, items that could have been chosen then and were not."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from training.history import codes

DAY_S = 86_400
MAX_ROUNDS = 100  # a line still without an item after these gets none


@dataclass(frozen=True)
class Negatives:
    """Pairs each event with items of the recent past that its `by` did not take at that moment.

    An item stands for a candidate by one of its own earlier events, so it is alive, in the
    catalogue, and brings its columns as they were then. It is drawn in proportion to
    (its events)^power. Nothing of the future is used: an item's events are counted in the window
    of its period, and candidates come from [time - window, time).

    Args:
        item: the column that tells items apart.
        columns: those that belong to the item and travel with it (`item` is always one of them).
        by: who takes items.
        per_positive: negatives an event.
        window_days: how long an item stays a candidate after its last event.
        power: 1 draws items as often as they happen, 0 all alike.
        seed: of the draws.
    """

    item: str
    by: str
    columns: tuple[str, ...] = ()
    per_positive: int = 1
    window_days: float = 30.0
    power: float = 0.75
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_positive < 1 or self.window_days <= 0 or not 0 <= self.power <= 1:
            raise ConfigError(
                "negatives need per_positive >= 1, window_days > 0 and power in [0, 1],"
                f" got {self.per_positive}, {self.window_days} and {self.power}"
            )

    def draw(
        self, frame: pl.DataFrame, times: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draws negatives for events in time order.

        Returns:
            The events that got one, ascending, each up to `per_positive` times, and for each the
            event whose item stands in: both (M,). The first moments have no past, so no negatives.
        """
        rng = np.random.default_rng(self.seed)
        items, baskets = codes(frame[self.item]), _pair_codes(codes(frame[self.by]), times)
        num_items = items.max(initial=0) + 1
        taken = np.unique(baskets * num_items + items)
        acceptance = self._acceptance(items, times)
        low, high = (
            np.searchsorted(times, times - int(self.window_days * DAY_S)),
            np.searchsorted(times, times),
        )
        events = np.repeat(np.flatnonzero(high > low), self.per_positive)
        chosen = np.full(len(events), -1)
        open_lines = np.arange(len(events))
        for _ in range(MAX_ROUNDS if len(events) else 0):
            asking = events[open_lines]
            candidates = rng.integers(low[asking], high[asking])
            accepted = rng.random(len(asking)) < acceptance[candidates]
            accepted &= ~contains(taken, baskets[asking] * num_items + items[candidates])
            chosen[open_lines[accepted]] = candidates[accepted]
            open_lines = open_lines[~accepted]
        return events[chosen >= 0], chosen[chosen >= 0]

    def _acceptance(
        self, items: NDArray[np.int64], times: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Gives each event the chance to be kept that turns frequency f into f^power."""
        period = times // int(self.window_days * DAY_S)
        group = _pair_codes(items, period)
        return np.bincount(group)[group] ** (self.power - 1.0)


def _pair_codes(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers the distinct pairs."""
    low, high = second.min(initial=0), second.max(initial=0)
    return np.unique(first * (high - low + 1) + second - low, return_inverse=True)[1]


def contains(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells which values are among the ascending ones, of which there is at least one."""
    return ascending[np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)] == values
