"""The table of `recsys_embed`, slow and obvious: a dict of rows, one occurrence after the other."""

import copy
import threading
import time as clock
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError, MissingIdError
from recsys_embed.table_config import TableConfig
from tests.reference.cut import ReferenceCut
from tests.reference.initial import Initial, seeded_initial
from tests.reference.optimizers import fresh_state, stepped
from tests.reference.pooling import pooled, spread
from tests.reference.rows import (
    BUDGET,
    DELETED,
    EXPIRED,
    Evicted,
    Lookup,
    Row,
    RowBlock,
    Rows,
    TableStats,
    block_of,
    rows_of,
)

COUNTERS = (
    "admitted", "filtered", "expired", "evicted", "deleted", "lookups", "hits", "dropped_gradients"
)  # fmt: skip


class ReferenceTable:
    """Does what CollisionlessTable does, without its speed, its checks or its threads' overlap.

    A sketch is played by exact counts: what it must never be later than. A probability below 1 is
    played by `admits(id, seq, occurrence) -> bool`, which a test hands in.
    """

    def __init__(
        self, config: TableConfig, initial: Initial | None = None, admits: Any = None
    ) -> None:
        self.config = config
        self.initial_values = initial or seeded_initial(config)
        self._admits = admits or (lambda i, seq, occurrence: True)
        self._rows: dict[int, Row] = {}
        self._waiting: dict[int, int] = {}
        self._hand: list[int] = []
        self._seq, self._clock_s = 0, 0
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._lock = threading.RLock()

    def lookup(self, ids: Any, *, missing: Any = "initial", out: Any = None) -> NDArray[np.float32]:
        with self._lock:
            found = self._mapped(ids)
            self._refuse_missing(found, missing)
            values = self._stack([self._value(i, missing) for i in found])
            self._count_lookups(found)
            return _into(out, values)

    def lookup_pooled(
        self, ids: Any, offsets: Any, *, mode: str = "sum", weights: Any = None,
        num_features: int = 1, missing: Any = "initial", out: Any = None,
    ) -> NDArray[np.float32]:  # fmt: skip
        values = self.lookup(ids, missing=missing)
        return _into(out, pooled(values, offsets, mode, weights, num_features))

    def contains(self, ids: Any) -> NDArray[np.bool_]:
        with self._lock:
            return np.array([i in self._rows for i in self._mapped(ids)], bool)

    def __contains__(self, i: int) -> bool:
        return bool(self.contains(np.array([i]))[0])

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self) -> Iterator[NDArray[np.int64]]:
        for block in self.rows():
            yield block.ids

    def rows(self) -> Iterator[RowBlock]:
        if self._rows:
            yield block_of(self._rows.items(), self.config.dim, self.config.state_width)

    def stats(self) -> TableStats:
        taken = len(self._rows) * self.config.row_bytes
        return TableStats(len(self), taken, 0, 0.0, **self._counters)

    def train_lookup(
        self, ids: Any, *, feature: int | str = 0, time: int | None = None,
        missing: Any = "initial", out: Any = None,
    ) -> Lookup:  # fmt: skip
        occurrences = self._mapped(ids)
        return self._train(occurrences, [feature] * len(occurrences), time, missing, out)

    def train_lookup_pooled(
        self, ids: Any, offsets: Any, *, mode: str = "sum", weights: Any = None,
        features: Sequence[int | str] = (0,), time: int | None = None,
        missing: Any = "initial", out: Any = None,
    ) -> Lookup:  # fmt: skip
        offsets = np.asarray(offsets)
        num_bags = (len(offsets) - 1) // len(features)
        of_each = [
            feature
            for f, feature in enumerate(features)
            for _ in range(offsets[f * num_bags], offsets[(f + 1) * num_bags])
        ]
        each = self._train(self._mapped(ids), of_each, time, missing, None)
        values = pooled(each.values, offsets, mode, weights, len(features))
        return Lookup(_into(out, values), each.rows, each.evicted)

    def apply_gradients(self, rows: Any, grads: Any, *, lr: float | Sequence[float]) -> None:
        with self._lock:
            grads = np.asarray(grads)
            if not np.isfinite(grads).all():
                raise InputError("gradients must be finite, got NaN or infinity")
            if not isinstance(rows, Rows):
                ids = np.array(self._mapped(rows), np.int64)
                rows = Rows(ids, np.ones(len(ids), bool))
            self._seq += 1
            for i, gradient in self._summed(rows, grads).items():
                self._step(self._rows[i], gradient, lr)

    def apply_pooled_gradients(
        self, rows: Any, offsets: Any, grads: Any, *, lr: float | Sequence[float],
        mode: str = "sum", weights: Any = None, num_features: int = 1,
    ) -> None:  # fmt: skip
        each = spread(np.asarray(grads), offsets, mode, weights, num_features)
        self.apply_gradients(rows, each, lr=lr)

    def assign(self, ids: Any, values: Any, *, time: int | None = None) -> None:
        with self._lock:
            seen = self._advance(time)
            self._seq += 1
            for i, value in zip(self._mapped(ids), np.asarray(values), strict=True):
                if i not in self._rows:
                    self._insert(i, feature=0, seen=seen, count=0)
                row = self._rows[i]
                row.weights = np.array(value, np.float32)
                row.seq = self._seq
                row.last_seen = max(row.last_seen, seen)

    def evict(self, ids: Any) -> Evicted:
        with self._lock:
            self._seq += 1
            return self._drop([i for i in dict.fromkeys(self._mapped(ids))], DELETED, "deleted")

    def expire(self, now: int | None = None, *, max_rows: int | None = None) -> Evicted:
        """Examines every row, or the next `max_rows` in turn, and drops those of age >= ttl."""
        with self._lock:
            now = self._now(now)
            examined = list(self._rows) if max_rows is None else self._next_in_turn(max_rows)
            old = [i for i in examined if self._is_expired(self._rows[i], now)]
            self._seq += 1
            return self._drop(old, EXPIRED, "expired")

    def enforce_budget(self) -> Evicted:
        with self._lock:
            limit = self.config.max_rows
            if limit is None or len(self._rows) <= limit:
                return Evicted.of([])
            ranked = sorted(self._rows, key=self._rank)
            self._seq += 1
            return self._drop(ranked[: len(ranked) - (limit - limit // 16)], BUDGET, "evicted")

    def compact(self, max_moves: int | None = None) -> int:
        return 0

    def cut(self) -> ReferenceCut:
        with self._lock:
            admission = {
                "ids": np.array(list(self._waiting), np.int64),
                "counts": np.array(list(self._waiting.values()), np.uint32),
            }
            return ReferenceCut(
                self.config, copy.deepcopy(self._rows), self._seq, self._clock_s,
                dict(self._counters), admission,
            )  # fmt: skip

    def restore_rows(self, block: Any) -> None:
        with self._lock:
            held = [i for i in np.asarray(block.ids).tolist() if i in self._rows]
            if held:
                raise InputError(f"restored ids must be absent, but id {held[0]} has a row")
            self._rows.update(rows_of(block))

    def restore_meta(
        self, *, seq: int, clock_s: int, counters: dict[str, int], admission: dict[str, Any]
    ) -> None:
        with self._lock:
            self._seq, self._clock_s = seq, clock_s
            self._counters.update(counters)
            pairs = zip(admission["ids"].tolist(), admission["counts"].tolist(), strict=True)
            self._waiting = dict(pairs)

    def _mapped(self, ids: Any) -> list[int]:
        return self.config.row_map.map(np.asarray(ids, np.int64)).tolist()

    def _stack(self, values: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.array(values, np.float32).reshape(len(values), self.config.dim)

    def _refuse_missing(self, ids: list[int], missing: Any) -> None:
        absent = [i for i in ids if i not in self._rows]
        if absent and isinstance(missing, str) and missing == "error":
            raise MissingIdError(f"table {self.config.name!r} has no row for id {absent[0]}")

    def _value(self, i: int, missing: Any) -> NDArray[np.float32]:
        if i in self._rows:
            return self._rows[i].weights
        if not isinstance(missing, str):
            return np.asarray(missing, np.float32)
        if missing == "zeros":
            return np.zeros(self.config.dim, np.float32)
        return self.initial_values(np.array([i], np.int64))[0]

    def _count_lookups(self, ids: list[int]) -> None:
        self._counters["lookups"] += len(ids)
        self._counters["hits"] += sum(i in self._rows for i in ids)

    def _advance(self, time: int | None) -> int:
        """Moves the table's clock forward, never back; gives the time of this call."""
        seen = int(clock.time()) if self.config.clock == "wall" else time
        if seen is None:
            return self._clock_s
        self._clock_s = max(self._clock_s, int(seen))
        return int(seen)

    def _now(self, now: int | None) -> int:
        if now is not None:
            return int(now)
        return int(clock.time()) if self.config.clock == "wall" else self._clock_s

    def _train(
        self, ids: list[int], features: Sequence[int | str], time: int | None,
        missing: Any, out: Any,
    ) -> Lookup:  # fmt: skip
        with self._lock:
            if isinstance(missing, str) and missing == "error":
                raise InputError("a training lookup admits ids, so missing cannot be 'error'")
            seen = self._advance(time)
            swept = self.expire(max_rows=self.config.sweep_rows)
            over = self.enforce_budget()
            self._seq += 1
            values, read_a_row = [], []
            for k, (i, feature) in enumerate(zip(ids, features, strict=True)):
                read_a_row.append(self._occurs(i, self._index(feature), seen, k))
                values.append(self._value(i, missing))
            handle = Rows(np.array(ids, np.int64), np.array(read_a_row, bool))
            evicted = Evicted(*(np.concatenate(pair) for pair in zip(swept, over, strict=True)))
            return Lookup(_into(out, self._stack(values)), handle, evicted)

    def _index(self, feature: int | str) -> int:
        names = [rule.name for rule in self.config.features]
        return names.index(feature) if isinstance(feature, str) else feature

    def _occurs(self, i: int, feature: int, seen: int, occurrence: int) -> bool:
        """Counts one occurrence of one id; True if it has, or thereby earns, a row."""
        self._counters["lookups"] += 1
        if i in self._rows:
            row = self._rows[i]
            row.count += 1
            row.last_seen = max(row.last_seen, seen)
            row.seq = self._seq
            self._counters["hits"] += 1
            return True
        if not self._is_admitted(i, feature, occurrence):
            self._counters["filtered"] += 1
            return False
        self._insert(i, feature, seen, count=1)
        self._counters["admitted"] += 1
        return True

    def _is_admitted(self, i: int, feature: int, occurrence: int) -> bool:
        if self.config.admission.kind == "probabilistic":
            return bool(self._admits(i, self._seq, occurrence))
        self._waiting[i] = self._waiting.get(i, 0) + 1
        return self._waiting[i] >= self.config.features[feature].threshold

    def _insert(self, i: int, feature: int, seen: int, count: int) -> None:
        self._waiting.pop(i, None)
        state = [fresh_state(s.optimizer, s.dim) for s in self.config.segments]
        weights = self.initial_values(np.array([i], np.int64))[0]
        self._rows[i] = Row(
            np.array(weights, np.float32), np.concatenate(state).astype(np.float32),
            seen, count, feature, self._seq,
        )  # fmt: skip

    def _summed(self, rows: Rows, grads: NDArray[np.float32]) -> dict[int, NDArray[np.float64]]:
        """Sums the gradients of each id that has a row; counts the other occurrences."""
        sums: dict[int, NDArray[np.float64]] = {}
        for i, read_a_row, gradient in zip(
            rows.ids.tolist(), rows.read_a_row.tolist(), grads, strict=True
        ):
            if not read_a_row or i not in self._rows:
                self._counters["dropped_gradients"] += 1
                continue
            sums[i] = sums.get(i, np.zeros(self.config.dim)) + gradient
        return sums

    def _step(self, row: Row, gradient: NDArray[np.float64], lr: float | Sequence[float]) -> None:
        rates = [lr] * len(self.config.segments) if np.isscalar(lr) else list(lr)  # type: ignore
        weights, state = row.weights.astype(np.float64), row.state.astype(np.float64)
        w = s = 0
        for segment, rate in zip(self.config.segments, rates, strict=True):
            in_w = slice(w, w + segment.dim)
            in_s = slice(s, s + len(segment.state_columns))
            weights[in_w], state[in_s] = stepped(
                segment.optimizer, weights[in_w], state[in_s], gradient[in_w], float(rate)
            )
            w, s = in_w.stop, in_s.stop
        row.weights, row.state = weights.astype(np.float32), state.astype(np.float32)
        row.seq = self._seq

    def _drop(self, ids: list[int], reason: int, counter: str) -> Evicted:
        dropped = [i for i in ids if self._rows.pop(i, None) is not None]
        self._counters[counter] += len(dropped)
        return Evicted.of([(i, reason) for i in dropped])

    def _next_in_turn(self, max_rows: int) -> list[int]:
        self._hand = [i for i in self._hand if i in self._rows] or list(self._rows)
        examined, self._hand = self._hand[:max_rows], self._hand[max_rows:]
        return examined

    def _is_expired(self, row: Row, now: int) -> bool:
        ttl_s = self.config.features[row.feature].ttl_s
        return ttl_s is not None and now - row.last_seen >= ttl_s

    def _rank(self, i: int) -> tuple[int, int, int]:
        row = self._rows[i]
        used = row.count if self.config.budget.policy == "lfu" else 0  # type: ignore[union-attr]
        return used, row.seq, i


def _into(out: Any, values: NDArray[np.float32]) -> Any:
    if out is None:
        return values
    np.asarray(out)[...] = values
    return out
