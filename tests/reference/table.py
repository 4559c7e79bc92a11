"""The table of `recsys_embed`, slow and obvious: a dict of rows, one occurrence after the other."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig
from tests.reference.cut import ReferenceCut
from tests.reference.initial import Initial, seeded_initial
from tests.reference.optimizers import fresh_state, stepped
from tests.reference.pooling import pooled, spread
from tests.reference.reading import into
from tests.reference.rows import EXPIRED, Evicted, Lookup, Row, Rows, rows_of
from tests.reference.upkeep import PerishableRows
from tests.reference.waiting import Admits, always


class ReferenceTable(PerishableRows):
    """Does what CollisionlessTable does, without its speed, its checks or its threads' overlap.

    A sketch is played by exact counts: what it must never be later than. A probability below 1 is
    played by `admits(id, seq, occurrence) -> bool`, which a test hands in.
    """

    def __init__(
        self, config: TableConfig, initial: Initial | None = None, admits: Admits = always
    ) -> None:
        super().__init__(config, initial or seeded_initial(config), admits)

    def train_lookup(
        self, ids: Any, *, feature: int | str | Sequence[int | str] = 0,
        feature_offsets: Any = None, time: int | None = None, missing: Any = "initial",
        out: Any = None,
    ) -> Lookup:  # fmt: skip
        features = [feature] if isinstance(feature, int | str) else feature
        offsets = [0, len(ids)] if feature_offsets is None else feature_offsets
        of_each = _feature_of_each(features, offsets)
        values, handle, evicted = self._train(self._mapped(ids), of_each, time, missing)
        return Lookup(into(out, values), handle, evicted)

    def train_lookup_pooled(
        self, ids: Any, offsets: Any, *, mode: str = "sum", weights: Any = None,
        features: Sequence[int | str] = (0,), time: int | None = None,
        missing: Any = "initial", out: Any = None,
    ) -> Lookup:  # fmt: skip
        num_bags = (len(offsets) - 1) // len(features)
        bounds = [int(offsets[f * num_bags]) for f in range(len(features) + 1)]
        of_each = _feature_of_each(features, bounds)
        each, handle, evicted = self._train(self._mapped(ids), of_each, time, missing)
        values = pooled(each, offsets, mode, weights, len(features))
        return Lookup(into(out, values), handle, evicted)

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
                    self._waiting.forget(i)
                    self._insert(i, feature=0, seen=seen, count=1)
                row = self._rows[i]
                row.weights = np.array(value, np.float32)
                row.seq = self._seq
                row.last_seen = max(row.last_seen, seen)

    def cut(self) -> ReferenceCut:
        with self._lock:
            return ReferenceCut(
                self.config, copy.deepcopy(self._rows), self._seq, self._clock_s,
                dict(self._counters), self._waiting.state(),
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
            self._waiting.restore(admission)

    def _train(
        self, ids: list[int], features: Sequence[int | str], time: int | None, missing: Any
    ) -> tuple[NDArray[np.float32], Rows, Evicted]:
        with self._lock:
            if isinstance(missing, str) and missing == "error":
                raise InputError("a training lookup admits ids, so missing cannot be 'error'")
            seen = self._advance(time)
            self._seq += 1
            lost = [self._sweep(self._clock_s, self.config.sweep_rows), self._trim_to_budget()]
            lost.append(self._expire_met(ids))
            self._count_lookups(ids)
            values, read_a_row = [], []
            for k, (i, feature) in enumerate(zip(ids, features, strict=True)):
                read_a_row.append(self._occurs(i, self._index(feature), seen, k))
                values.append(self._value(i, missing))
            handle = Rows(np.array(ids, np.int64), np.array(read_a_row, bool))
            evicted = Evicted(*(np.concatenate(column) for column in zip(*lost, strict=True)))
            return self._stack(values), handle, evicted

    def _expire_met(self, ids: list[int]) -> Evicted:
        """Drops what a batch meets and the sweep would have dropped, had it come by."""
        held = [i for i in dict.fromkeys(ids) if i in self._rows]
        over = [i for i in held if self._is_expired(self._rows[i], self._clock_s)]
        return self._drop(over, EXPIRED, "expired")

    def _index(self, feature: int | str) -> int:
        names = [rule.name for rule in self.config.features]
        return names.index(feature) if isinstance(feature, str) else feature

    def _occurs(self, i: int, feature: int, seen: int, occurrence: int) -> bool:
        """Counts one occurrence of one id; True if it has, or thereby earns, a row."""
        if i in self._rows:
            self._refresh(self._rows[i], feature, seen)
            return True
        self._waiting.forget_if_old(i, self._clock_s)
        count = self._waiting.admit(i, feature, seen, self._seq, occurrence)
        self._counters["admitted" if count else "filtered"] += 1
        if count:
            self._insert(i, feature, seen, count)
        return count > 0

    def _refresh(self, row: Row, feature: int, seen: int) -> None:
        row.count += 1
        row.last_seen = max(row.last_seen, seen)
        row.seq = self._seq
        if self._lifetime(feature) > self._lifetime(row.feature):
            row.feature = feature

    def _insert(self, i: int, feature: int, seen: int, count: int) -> None:
        state = [fresh_state(s.optimizer, s.dim) for s in self.config.segments]
        weights = self._initial(np.array([i], np.int64))[0]
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
        rates = lr if isinstance(lr, Sequence) else [lr] * len(self.config.segments)
        weights, state = row.weights.astype(np.float64), row.state.astype(np.float64)
        w = s = 0
        for segment, rate in zip(self.config.segments, rates, strict=True):
            in_w = slice(w, w + segment.dim)
            in_s = slice(s, s + len(segment.state_columns))
            weights[in_w], state[in_s] = stepped(
                segment.optimizer, weights[in_w], state[in_s], gradient[in_w], rate
            )
            w, s = in_w.stop, in_s.stop
        row.weights, row.state = weights.astype(np.float32), state.astype(np.float32)
        row.seq = self._seq


def _feature_of_each(features: Sequence[int | str], offsets: Any) -> list[int | str]:
    """Names the feature of each occurrence: f for those in [offsets[f], offsets[f + 1])."""
    lengths = [int(b) - int(a) for a, b in zip(offsets, offsets[1:], strict=False)]
    return [feature for feature, n in zip(features, lengths, strict=True) for _ in range(n)]
