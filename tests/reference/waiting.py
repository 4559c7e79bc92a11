"""Ids on their way to a row: how often each occurred without one, and when last."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys_embed.table_config import TableConfig

Admits = Callable[[int, int, int], bool]  # (id, seq, occurrence)


def always(i: int, seq: int, occurrence: int) -> bool:
    return True


class Waiting:
    """Counts exactly, also where the table would sketch: what it must never be later than.

    Counts are forgotten after the longest time to live, unless some feature lives for ever.
    """

    def __init__(self, config: TableConfig, admits: Admits) -> None:
        self._config, self._admits = config, admits
        self._counts: dict[int, int] = {}
        self._last_seen: dict[int, int] = {}

    def admit(self, i: int, feature: int, seen: int, seq: int, occurrence: int) -> int:
        """Gives the count with which the row begins, 0 if this occurrence earns none."""
        if self._config.admission.kind == "probabilistic":
            return int(self._admits(i, seq, occurrence))
        count = self._counts.get(i, 0) + 1
        if count >= self._config.features[feature].threshold:
            self.forget(i)
            return count
        self._counts[i] = count
        self._last_seen[i] = max(seen, self._last_seen.get(i, 0))
        return 0

    def forget(self, i: int) -> None:
        self._counts.pop(i, None)
        self._last_seen.pop(i, None)

    def forget_if_old(self, i: int, now: int) -> None:
        age = now - self._last_seen.get(i, now)
        ttls = [rule.ttl_s for rule in self._config.features]
        if all(ttl is not None and age >= ttl for ttl in ttls):
            self.forget(i)

    def expire(self, now: int) -> None:
        for i in list(self._last_seen):
            self.forget_if_old(i, now)

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {
            "ids": np.array(list(self._counts), np.int64),
            "counts": np.array(list(self._counts.values()), np.uint32),
            "last_seen": np.array(list(self._last_seen.values()), np.uint32),
        }

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        ids = state["ids"].tolist()
        self._counts = dict(zip(ids, state["counts"].tolist(), strict=True))
        self._last_seen = dict(zip(ids, state["last_seen"].tolist(), strict=True))
