"""The part of the reference table that loses rows: expiry, budget, deletion."""

import time as clock
from typing import Any

from recsys_embed.table_config import TableConfig
from tests.reference.initial import Initial
from tests.reference.reading import ReadableRows
from tests.reference.rows import BUDGET, DELETED, EXPIRED, Evicted, Row
from tests.reference.waiting import Admits, Waiting


class PerishableRows(ReadableRows):
    """Rows with a clock, and ids waiting for a row; both may be given up."""

    def __init__(self, config: TableConfig, initial: Initial, admits: Admits) -> None:
        super().__init__(config, initial)
        self._waiting = Waiting(config, admits)
        self._hand: list[int] = []
        self._seq, self._clock_s = 0, 0

    @property
    def seq(self) -> int:
        return self._seq

    def evict(self, ids: Any) -> Evicted:
        with self._lock:
            self._seq += 1
            for i in self._mapped(ids):
                self._waiting.forget(i)
            return self._drop(self._mapped(ids), DELETED, "deleted")

    def expire(self, now: int | None = None, *, max_rows: int | None = None) -> Evicted:
        """Examines every row, or the next `max_rows` in turn, and drops those of age >= ttl."""
        with self._lock:
            self._seq += 1
            wall = self.config.clock == "wall"
            now = now if now is not None else int(clock.time()) if wall else self._clock_s
            return self._sweep(int(now), max_rows)

    def enforce_budget(self) -> Evicted:
        with self._lock:
            self._seq += 1
            return self._trim_to_budget()

    def compact(self, max_moves: int | None = None) -> int:
        return 0

    def _advance(self, time: int | None) -> int:
        """Moves the table's clock forward, never back; gives the time of this call."""
        seen = int(clock.time()) if self.config.clock == "wall" else time
        if seen is None:
            return self._clock_s
        self._clock_s = max(self._clock_s, int(seen))
        return int(seen)

    def _lifetime(self, feature: int) -> float:
        ttl_s = self.config.features[feature].ttl_s
        return float("inf") if ttl_s is None else ttl_s

    def _is_expired(self, row: Row, now: int) -> bool:
        return now - row.last_seen >= self._lifetime(row.feature)

    def _sweep(self, now: int, max_rows: int | None) -> Evicted:
        examined = list(self._rows) if max_rows is None else self._next_in_turn(max_rows)
        old = [i for i in examined if self._is_expired(self._rows[i], now)]
        if max_rows is None or max_rows > 0:
            self._waiting.expire(now)
        return self._drop(old, EXPIRED, "expired")

    def _next_in_turn(self, max_rows: int) -> list[int]:
        self._hand = [i for i in self._hand if i in self._rows] or list(self._rows)
        examined, self._hand = self._hand[:max_rows], self._hand[max_rows:]
        return examined

    def _trim_to_budget(self) -> Evicted:
        limit = self.config.max_rows
        if limit is None or len(self._rows) <= limit:
            return Evicted.of([])
        ranked = sorted(self._rows, key=self._rank)
        return self._drop(ranked[: len(ranked) - (limit - limit // 16)], BUDGET, "evicted")

    def _rank(self, i: int) -> tuple[int, int, int]:
        row, budget = self._rows[i], self.config.budget
        used = row.count if budget is not None and budget.policy == "lfu" else 0
        return used, row.seq, i

    def _drop(self, ids: list[int], reason: int, counter: str) -> Evicted:
        dropped = [i for i in ids if self._rows.pop(i, None) is not None]
        self._counters[counter] += len(dropped)
        return Evicted.of([(i, reason) for i in dropped])
