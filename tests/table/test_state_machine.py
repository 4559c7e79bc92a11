"""Whatever happens in whatever order, the native table and the reference agree."""

import os

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from recsys_embed import TableConfig, make_table
from tests.table.drawing import BATCH, GRADIENT, configs
from tests.table.making import (
    assert_same_rows,
    columns,
    copied,
    counters,
    int64s,
    reference_table,
)

# a few float32 roundings a step over at most a few dozen steps
RTOL, ATOL = 1e-4, 1e-5


class TableMachine(RuleBasedStateMachine):
    """Drives both tables with the same calls; every answer and all rows must agree."""

    @initialize(config=configs())
    def start(self, config):
        self.config, self.now = config, 1000
        self.native, self.reference = make_table(config), reference_table(config)
        self.handles, self.cuts = [], None

    def both(self, call):
        """Makes one call on each table and compares whom it evicted."""
        ours, theirs = call(self.native), call(self.reference)
        for evicted, expected in zip(_evicted(ours), _evicted(theirs), strict=True):
            pairs = zip(evicted.ids.tolist(), evicted.reasons.tolist(), strict=True)
            wanted = zip(expected.ids.tolist(), expected.reasons.tolist(), strict=True)
            assert sorted(pairs) == sorted(wanted)
        return ours, theirs

    def gradients(self, data, *shape):
        n = int(np.prod(shape))
        flat = data.draw(
            st.lists(GRADIENT, min_size=n, max_size=n) if n < 60 else st.just([0.5] * n)
        )
        return np.array(flat, np.float32).reshape(shape)

    @rule(ids=BATCH, feature=st.sampled_from(["a", 1]), passed=st.integers(-20, 20),
          missing=st.sampled_from(["initial", "zeros"]))  # fmt: skip
    def train(self, ids, feature, passed, missing):
        self.now += max(passed, 0)
        moment = self.now + min(passed, 0)
        ours, theirs = self.both(
            lambda t: t.train_lookup(int64s(*ids), feature=feature, time=moment, missing=missing)
        )
        np.testing.assert_allclose(ours.values, theirs.values, RTOL, ATOL)
        self.handles.append((ours.rows, theirs.rows, len(ids), None))

    @rule(ids=BATCH, data=st.data(), mode=st.sampled_from(["sum", "mean"]))
    def train_pooled(self, ids, data, mode):
        offsets = self.offsets(data, len(ids), 4)
        ours, theirs = self.both(
            lambda t: t.train_lookup_pooled(
                int64s(*ids), offsets, features=("b", "a"), time=self.now, mode=mode
            )
        )
        np.testing.assert_allclose(ours.values, theirs.values, RTOL, ATOL)
        self.handles.append((ours.rows, theirs.rows, len(ids), (offsets, mode)))

    def offsets(self, data, num_ids, num_bags):
        cuts = st.lists(st.integers(0, num_ids), min_size=num_bags - 1, max_size=num_bags - 1)
        return int64s(0, *sorted(data.draw(cuts, "cuts")), num_ids)

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), back=st.integers(0, 3), lr=st.sampled_from([0.5, 0.125]))
    def apply(self, data, back, lr):
        ours, theirs, n, bags = self.handles[-1 - back % len(self.handles)]
        if bags is None:
            grads = self.gradients(data, n, self.config.dim)
            self.native.apply_gradients(ours, grads, lr=lr)
            self.reference.apply_gradients(theirs, grads, lr=lr)
            return
        offsets, mode = bags
        grads = self.gradients(data, 2, 2 * self.config.dim)
        for table, handle in ((self.native, ours), (self.reference, theirs)):
            table.apply_pooled_gradients(handle, offsets, grads, lr=lr, mode=mode, num_features=2)

    @rule(ids=BATCH, data=st.data())
    def apply_to_ids(self, ids, data):
        grads = self.gradients(data, len(ids), self.config.dim)
        rates = tuple(0.25 / (k + 1) for k in range(len(self.config.segments)))
        self.both(lambda t: t.apply_gradients(int64s(*ids), grads, lr=rates))

    @rule(ids=BATCH, data=st.data(), moment=st.none() | st.integers(900, 1100))
    def assign(self, ids, data, moment):
        values = self.gradients(data, len(ids), self.config.dim)
        self.both(lambda t: t.assign(int64s(*ids), values, time=moment))

    @rule(ids=BATCH)
    def evict(self, ids):
        self.both(lambda t: t.evict(int64s(*ids)))

    @rule(ahead=st.none() | st.integers(-10, 60))
    def expire(self, ahead):
        self.both(lambda t: t.expire(None if ahead is None else self.now + ahead))

    @rule()
    def enforce_budget(self):
        self.both(lambda t: t.enforce_budget())

    @rule(moves=st.none() | st.integers(0, 5))
    def compact(self, moves):
        self.native.compact(moves)

    @rule(ids=BATCH, missing=st.sampled_from(["initial", "zeros"]), data=st.data())
    def look_up(self, ids, missing, data):
        ours, theirs = self.both(lambda t: t.lookup(int64s(*ids), missing=missing))
        np.testing.assert_allclose(ours, theirs, RTOL, ATOL)
        offsets = self.offsets(data, len(ids), 3)
        ours, theirs = self.both(lambda t: t.lookup_pooled(int64s(*ids), offsets, missing=missing))
        np.testing.assert_allclose(ours, theirs, 10 * RTOL, 10 * ATOL)
        held, expected = self.both(lambda t: t.contains(int64s(*ids)))
        np.testing.assert_array_equal(held, expected)

    @precondition(lambda self: self.cuts is None)
    @rule()
    def cut(self):
        self.cuts = self.native.cut(), self.reference.cut()

    @precondition(lambda self: self.cuts is not None)
    @rule(parts=st.integers(1, 3), rows_per_block=st.sampled_from([1, 3, 1000]))
    def read_cut(self, parts, rows_per_block):
        ours, theirs = self.cuts
        assert ours.num_rows == theirs.num_rows
        held = [copied(ours.blocks(p, parts, rows_per_block=rows_per_block)) for p in range(parts)]
        assert [sum(len(b.ids) for b in blocks) for blocks in held] == [
            ours.num_rows_in(p, parts) for p in range(parts)
        ]
        assert_same_rows(_Blocks([b for part in held for b in part]), theirs, RTOL, ATOL)
        self.close_cut()

    @precondition(lambda self: self.cuts is not None)
    @rule()
    def continue_from_the_cut(self):
        ours, theirs = self.cuts
        self.native, self.reference = make_table(self.config), reference_table(self.config)
        for table, cut in ((self.native, ours), (self.reference, theirs)):
            for block in cut.blocks():
                table.restore_rows(block)
            table.restore_meta(
                seq=cut.seq, clock_s=cut.clock_s, counters=cut.counters, admission=cut.admission
            )
        self.close_cut()
        self.handles = []

    def close_cut(self):
        for cut in self.cuts:
            cut.close()
        self.cuts = None

    @invariant()
    def all_rows_and_counts_agree(self):
        if not hasattr(self, "native"):
            return
        assert len(self.native) == len(self.reference)
        assert_same_rows(self.native, self.reference, RTOL, ATOL)
        assert counters(self.native) == counters(self.reference)
        ours, theirs = self.native.stats(), self.reference.stats()
        assert (ours.lookups, ours.hits) == (theirs.lookups, theirs.hits)

    def teardown(self):
        if getattr(self, "cuts", None):
            self.close_cut()


class _Blocks:
    """Blocks already read, in the shape that `columns` reads."""

    def __init__(self, blocks):
        self._blocks = blocks

    def rows(self):
        return self._blocks


def _evicted(answer):
    """The evictions an answer reports: itself, its `evicted`, or none."""
    if hasattr(answer, "reasons"):
        return [answer]
    return [answer.evicted] if hasattr(answer, "evicted") else []


def test_native_table_and_reference_agree():
    # RECSYS_MACHINE_RUNS=2000 walks 100,000 random operations
    runs = int(os.environ.get("RECSYS_MACHINE_RUNS", "120"))
    run_state_machine_as_test(
        TableMachine,
        settings=settings(
            max_examples=runs, stateful_step_count=50, phases=[Phase.generate, Phase.shrink]
        ),
    )


def test_the_comparison_notices_a_difference():
    config = TableConfig.of("t", 2)
    one, other = make_table(config), reference_table(config)
    one.assign(int64s(1), np.ones((1, 2), np.float32))
    with pytest.raises(AssertionError):
        assert_same_rows(one, other, RTOL, ATOL)
    other.assign(int64s(1), np.full((1, 2), 1.01, np.float32))
    with pytest.raises(AssertionError):
        assert_same_rows(one, other, RTOL, ATOL)
    assert columns(one)["ids"].tolist() == [1]
