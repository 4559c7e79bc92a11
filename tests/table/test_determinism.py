"""The number of threads and the order of insertion leave no trace in the weights."""

import numpy as np
import pytest

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Admission,
    CollisionlessTable,
    FeatureRule,
    InputError,
    RowwiseAdagrad,
    Segment,
    TableConfig,
    num_threads,
    set_num_threads,
)
from tests.table.making import columns, counters, dump

OPTIMIZERS = [SGD(), Adagrad(), RowwiseAdagrad(), Adam(), FTRL(l1=0.001)]
MIXED = (Segment(1, FTRL()), Segment(19, RowwiseAdagrad()), Segment(12, Adam()))


@pytest.fixture(autouse=True)
def threads_as_before():
    before = num_threads()
    yield
    set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_a_number_of_threads_that_is_none_is_refused(count):
    before = num_threads()
    with pytest.raises(InputError, match="threads"):
        set_num_threads(count)
    assert num_threads() == before


def zipf_batches(num_batches=4, num_bags=4096, bag=6):
    """Raw ids with many duplicates, offsets and gradients, the same in every call."""
    rng = np.random.default_rng(5)
    for _ in range(num_batches):
        ids = rng.zipf(1.3, num_bags * bag) * np.int64(-7919)
        cuts = np.sort(rng.integers(0, len(ids) + 1, num_bags - 1))
        offsets = np.concatenate([[0], cuts, [len(ids)]]).astype(np.int64)
        yield ids, offsets, rng


def trained(config, threads, mode="sum"):
    set_num_threads(threads)
    assert num_threads() == threads
    table = CollisionlessTable(config)
    outputs = []
    for ids, offsets, rng in zipf_batches():
        looked_up = table.train_lookup_pooled(ids, offsets, mode=mode, time=1000)
        grads = rng.standard_normal(looked_up.values.shape).astype(np.float32)
        table.apply_pooled_gradients(looked_up.rows, offsets, grads, lr=0.05, mode=mode)
        outputs.append(np.array(looked_up.values))
        outputs.append(table.lookup_pooled(ids, offsets, mode=mode))
    return table, outputs


def assert_bit_identical(config, mode="sum"):
    (one, outputs), (two, others) = (trained(config, n, mode) for n in (1, 2))
    assert dump(one) == dump(two)
    assert counters(one) == counters(two)
    for ours, theirs in zip(outputs, others, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_one_and_two_threads_train_the_same_bits(optimizer):
    assert_bit_identical(TableConfig.of("t", 16, optimizer=optimizer))


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_segments_train_the_same_bits(mode):
    assert_bit_identical(TableConfig("t", MIXED), mode)


@pytest.mark.parametrize("kind", ["exact", "sketch", "probabilistic"])
def test_admission_decides_the_same(kind):
    admission = Admission(kind, width=1 << 10, depth=2, probability=0.4)
    rules = (FeatureRule("f", threshold=3, ttl_s=50),)
    assert_bit_identical(TableConfig.of("t", 8, features=rules, admission=admission))


def test_unpooled_gradients_train_the_same_bits():
    dumps = []
    for threads in (1, 2):
        set_num_threads(threads)
        table = CollisionlessTable(TableConfig.of("t", 16))
        for ids, _, rng in zipf_batches(2):
            handle = table.train_lookup(ids).rows
            grads = rng.standard_normal((len(ids), 16)).astype(np.float32)
            table.apply_gradients(handle, grads, lr=0.05)
        dumps.append(dump(table))
    assert dumps[0] == dumps[1]


def test_the_order_of_insertion_leaves_no_trace(rng):
    config = TableConfig.of("t", 16, optimizer=Adam())
    ids = np.arange(3000) * 65_537
    weights = []
    for order in (ids, ids[::-1].copy(), rng.permutation(ids)):
        table = CollisionlessTable(config)
        table.train_lookup(order)
        table.evict(order[:500])
        for batch, offsets, batch_rng in zipf_batches(2, num_bags=200):
            known = np.abs(batch) % 3000 * 65_537
            looked_up = table.train_lookup_pooled(known, offsets)
            grads = batch_rng.standard_normal(looked_up.values.shape).astype(np.float32)
            table.apply_pooled_gradients(looked_up.rows, offsets, grads, lr=0.05)
        table.train_lookup(ids)
        held = columns(table)
        weights.append(held["weights"].tobytes() + held["state"].tobytes())
    assert weights[0] == weights[1] == weights[2]
