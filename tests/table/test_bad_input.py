"""Each bad argument gets one sentence that says what was expected, before anything is changed."""

import numpy as np
import pytest

from recsys_embed import (
    FTRL,
    SGD,
    CollisionlessTable,
    FeatureRule,
    InputError,
    Segment,
    TableConfig,
)
from tests.table.bad_arguments import (
    BAD_FACTORS,
    BAD_FEATURES,
    BAD_GRADS,
    BAD_IDS,
    BAD_MISSING,
    BAD_OFFSETS,
    BAD_OUT,
    BAD_RATES,
    BAD_TIMES,
    BAD_VALUES,
    BAD_WEIGHTS,
    array,
)
from tests.table.making import counters, dump, int64s

CONFIG = TableConfig(
    "items",
    (Segment(1, SGD()), Segment(3)),
    features=(FeatureRule("a", ttl_s=100), FeatureRule("b", 3)),
)
IDS = int64s(1, 2, 99)
OFFSETS = int64s(0, 1, 3)


@pytest.fixture
def table():
    table = CollisionlessTable(CONFIG)
    table.train_lookup(np.arange(10), time=1000)
    return table


def everything(table):
    with table.cut() as cut:
        return dump(table), counters(table), cut.clock_s, cut.seq


GRADS = array(3, 4)

CALLS = {
    "lookup ids": (lambda t, x: t.lookup(x), BAD_IDS),
    "lookup out": (lambda t, x: t.lookup(IDS, out=x), BAD_OUT),
    "lookup missing": (lambda t, x: t.lookup(IDS, missing=x), BAD_MISSING),
    "pooled ids": (lambda t, x: t.lookup_pooled(x, OFFSETS), BAD_IDS),
    "pooled offsets": (lambda t, x: t.lookup_pooled(IDS, x), BAD_OFFSETS),
    "pooled weights": (lambda t, x: t.lookup_pooled(IDS, OFFSETS, weights=x), BAD_WEIGHTS),
    "pooled out": (
        lambda t, x: t.lookup_pooled(IDS, int64s(0, 1, 2, 3), out=x),
        BAD_OUT,
    ),
    "pooled missing": (lambda t, x: t.lookup_pooled(IDS, OFFSETS, missing=x), BAD_MISSING),
    "pooled mode": (
        lambda t, x: t.lookup_pooled(IDS, OFFSETS, mode=x),
        {"max": "max", "none": None},
    ),
    "pooled num_features": (
        lambda t, x: t.lookup_pooled(IDS, OFFSETS, num_features=x),
        {"not a divisor": 3, "zero": 0, "negative": -1},
    ),
    "contains ids": (lambda t, x: t.contains(x), BAD_IDS),
    "initial_values ids": (lambda t, x: t.initial_values(x), BAD_IDS),
    "train ids": (lambda t, x: t.train_lookup(x, time=1001), BAD_IDS),
    "train feature": (lambda t, x: t.train_lookup(IDS, feature=x, time=1001), BAD_FEATURES),
    "train feature_offsets": (
        lambda t, x: t.train_lookup(IDS, feature=("a", "b"), feature_offsets=x, time=1001),
        {**BAD_OFFSETS, "one too few": int64s(0, 3), "one too many": int64s(0, 1, 2, 3)},
    ),
    "train time": (lambda t, x: t.train_lookup(IDS, time=x), BAD_TIMES),
    "train missing": (
        lambda t, x: t.train_lookup(IDS, time=1001, missing=x),
        {**BAD_MISSING, "error": "error"},
    ),
    "train out": (lambda t, x: t.train_lookup(IDS, time=1001, out=x), BAD_OUT),
    "train pooled ids": (lambda t, x: t.train_lookup_pooled(x, OFFSETS, time=1001), BAD_IDS),
    "train pooled offsets": (
        lambda t, x: t.train_lookup_pooled(IDS, x, time=1001),
        BAD_OFFSETS,
    ),
    "train pooled weights": (
        lambda t, x: t.train_lookup_pooled(IDS, OFFSETS, weights=x, time=1001),
        BAD_WEIGHTS,
    ),
    "train pooled features": (
        lambda t, x: t.train_lookup_pooled(IDS, OFFSETS, features=x, time=1001),
        {"none": (), "unknown": ("c",), "beyond": (2,), "three for two bags": (0, 1, 0)},
    ),
    "train pooled time": (lambda t, x: t.train_lookup_pooled(IDS, OFFSETS, time=x), BAD_TIMES),
    "apply ids": (lambda t, x: t.apply_gradients(x, GRADS, lr=0.1), BAD_IDS),
    "apply grads": (lambda t, x: t.apply_gradients(IDS, x, lr=0.1), BAD_GRADS),
    "apply lr": (lambda t, x: t.apply_gradients(IDS, GRADS, lr=x), BAD_RATES),
    "apply pooled offsets": (
        lambda t, x: t.apply_pooled_gradients(IDS, x, GRADS[:2], lr=0.1),
        BAD_OFFSETS,
    ),
    "apply pooled grads": (
        lambda t, x: t.apply_pooled_gradients(IDS, int64s(0, 1, 2, 3), x, lr=0.1),
        BAD_GRADS,
    ),
    "apply pooled weights": (
        lambda t, x: t.apply_pooled_gradients(IDS, OFFSETS, GRADS[:2], lr=0.1, weights=x),
        BAD_FACTORS,
    ),
    "apply pooled mode": (
        lambda t, x: t.apply_pooled_gradients(IDS, OFFSETS, GRADS[:2], lr=0.1, mode=x),
        {"max": "max"},
    ),
    "apply pooled lr": (
        lambda t, x: t.apply_pooled_gradients(IDS, OFFSETS, GRADS[:2], lr=x),
        BAD_RATES,
    ),
    "assign ids": (lambda t, x: t.assign(x, GRADS), BAD_IDS),
    "assign values": (lambda t, x: t.assign(IDS, x), BAD_VALUES),
    "evict ids": (lambda t, x: t.evict(x), BAD_IDS),
    "expire now": (
        lambda t, x: t.expire(x),
        {name: x for name, x in BAD_TIMES.items() if x is not None},
    ),
    "expire max_rows": (lambda t, x: t.expire(2000, max_rows=x), {"negative": -1}),
}
CASES = [
    pytest.param(call, bad, id=f"{where}: {what}")
    for where, (call, bads) in CALLS.items()
    for what, bad in bads.items()
]


@pytest.mark.parametrize(("call", "bad"), CASES)
def test_bad_input_is_refused_in_one_sentence_and_changes_nothing(table, call, bad):
    before = everything(table)
    kept = bad.tobytes() if isinstance(bad, np.ndarray) and bad.dtype != object else None
    with pytest.raises(InputError) as refusal:
        call(table, bad)
    sentence = str(refusal.value)
    assert 20 < len(sentence) < 300, sentence
    assert "\n" not in sentence
    assert everything(table) == before
    if kept is not None:
        assert bad.tobytes() == kept


def test_the_sentence_names_what_was_expected_and_what_came(table):
    expectations = {
        r"int64.*float32": lambda: table.lookup(array(3)),
        r"\(3, 4\).*\(2, 4\)": lambda: table.apply_gradients(IDS, array(2, 4), lr=0.1),
        r"float32.*float64": lambda: table.assign(IDS, array(3, 4, dtype=np.float64)),
        r"a.*b.*'c'|'c'.*a.*b": lambda: table.train_lookup(IDS, feature="c", time=1001),
        r"initial.*zeros.*error.*'zero'|'zero'.*initial.*zeros": lambda: table.lookup(
            IDS, missing="zero"
        ),
    }
    for pattern, call in expectations.items():
        with pytest.raises(InputError, match=pattern):
            call()


def test_a_wall_clock_takes_no_time_from_the_caller():
    table = CollisionlessTable(TableConfig.of("t", 4, clock="wall"))
    with pytest.raises(InputError, match="wall"):
        table.train_lookup(IDS, time=1000)
    assert len(table) == 0


def test_the_handle_of_another_table_is_refused(table):
    other = CollisionlessTable(CONFIG)
    handle = other.train_lookup(np.arange(100, 103), time=1000).rows
    before = dump(table)
    with pytest.raises(InputError, match="table"):
        table.apply_gradients(handle, GRADS, lr=0.1)
    with pytest.raises(InputError, match="table"):
        table.apply_pooled_gradients(handle, OFFSETS, GRADS[:2], lr=0.1)
    assert dump(table) == before


def test_a_rate_of_zero_leaves_weights_finite(table):
    ftrl = CollisionlessTable(TableConfig.of("t", 4, optimizer=FTRL()))
    ftrl.train_lookup(IDS)
    before = dump(ftrl)
    with pytest.raises(InputError, match="lr"):
        ftrl.apply_gradients(IDS, GRADS, lr=0.0)
    assert dump(ftrl) == before
    weights = table.lookup(np.arange(10))
    table.apply_gradients(np.arange(10), array(10, 4), lr=0.0)
    np.testing.assert_array_equal(table.lookup(np.arange(10)), weights)


def test_a_handle_of_another_number_of_ids_is_refused(table):
    handle = table.train_lookup(int64s(1, 2), time=1000).rows
    before = dump(table)
    with pytest.raises(InputError):
        table.apply_gradients(handle, GRADS, lr=0.1)
    with pytest.raises(InputError):
        table.apply_pooled_gradients(handle, OFFSETS, GRADS[:2], lr=0.1)
    assert dump(table) == before
