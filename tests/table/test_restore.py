"""A restored copy goes on exactly as if nothing had happened."""

import copy
import pickle

import numpy as np
import pytest

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Admission,
    Budget,
    FeatureRule,
    InputError,
    RowBlock,
    RowwiseAdagrad,
    TableConfig,
    make_table,
)
from tests.table.making import columns, copied, counters, dump, int64s

OPTIMIZERS = [
    SGD(weight_decay=0.1),
    Adagrad(weight_decay=0.1, initial_accumulator=0.2),
    RowwiseAdagrad(weight_decay=0.1, initial_accumulator=0.2),
    Adam(beta1=0.7, beta2=0.9, weight_decay=0.1),
    FTRL(l1=0.05, l2=0.1, weight_decay=0.1),
]


def meta_of(table):
    """What a cut tells beside its rows, as `restore_meta` takes it."""
    with table.cut() as cut:
        names = ("seq", "clock_s", "counters", "admission")
        return {name: getattr(cut, name) for name in names}


def restored(table, new_table, parts=1, rows_per_block=16_384):
    again = new_table(table.config)
    with table.cut() as cut:
        for part in range(parts):
            for block in cut.blocks(part, parts, rows_per_block=rows_per_block):
                again.restore_rows(block)
        again.restore_meta(
            seq=cut.seq, clock_s=cut.clock_s, counters=cut.counters, admission=cut.admission
        )
    return again


def train(table, rng, num_steps, start):
    for n in range(num_steps):
        ids = rng.integers(-60, 60, 30)
        handle = table.train_lookup(ids, time=1000 + start + 10 * n).rows
        table.apply_gradients(handle, rng.standard_normal((30, 3)).astype(np.float32), lr=0.1)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_restored_copy_trains_on_bit_for_bit(new_table, optimizer, parts):
    config = TableConfig.of(
        "t", 3, optimizer=optimizer, budget=Budget(max_rows=70),
        features=(FeatureRule("f", threshold=2, ttl_s=40),), sweep_rows=1 << 20,
    )  # fmt: skip
    table = new_table(config)
    train(table, np.random.default_rng(1), 6, start=0)
    again = restored(table, new_table, parts, rows_per_block=7)
    assert dump(again) == dump(table)
    assert counters(again) == counters(table)
    for either in (table, again):
        train(either, np.random.default_rng(2), 6, start=60)
    assert dump(again) == dump(table)
    assert counters(again) == counters(table)
    assert table.stats().expired > 0


def test_an_empty_table_is_restored_empty(new_table):
    table = new_table(TableConfig.of("t", 3))
    assert len(restored(table, new_table)) == 0


def test_an_id_with_a_row_is_not_restored_over(new_table):
    table = new_table(TableConfig.of("t", 3))
    table.train_lookup(int64s(1, 2))
    (block,) = copied(table.rows())
    again = new_table(table.config)
    again.train_lookup(int64s(2))
    before = dump(again)
    with pytest.raises(InputError, match="2"):
        again.restore_rows(block)
    assert dump(again) == before


def wrong(block, **columns):
    return RowBlock(**{**{name: getattr(block, name) for name in block._fields}, **columns})


@pytest.mark.parametrize(
    "columns",
    [
        {"weights": np.zeros((2, 4), np.float32)},
        {"weights": np.zeros((2, 3), np.float64)},
        {"weights": np.zeros((1, 3), np.float32)},
        {"state": np.zeros((2, 5), np.float32)},
        {"last_seen": np.zeros(1, np.uint32)},
        {"last_seen": np.zeros(2, np.int64)},
        {"count": np.zeros(3, np.uint32)},
        {"feature": np.zeros(2, np.int32)},
        {"feature": np.array([0, 1], np.uint16)},
        {"seq": np.zeros(2, np.uint32)},
        {"ids": np.zeros(2, np.int32)},
        {"ids": np.array([5, 5])},
    ],
    ids=lambda c: ", ".join(f"{k} {v.dtype}{v.shape}" for k, v in c.items()),
)
def test_a_block_that_does_not_fit_is_refused_whole(columns):
    table = make_table(TableConfig.of("t", 3))
    table.train_lookup(int64s(1, 2))
    (block,) = copied(table.rows())
    again = make_table(table.config)
    with pytest.raises(InputError):
        again.restore_rows(wrong(block, **columns))
    assert len(again) == 0


@pytest.mark.parametrize("copy", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_table_is_neither_pickled_nor_copied(copy):
    with pytest.raises(TypeError, match="snapshot"):
        copy(make_table(TableConfig.of("t", 3)))


@pytest.mark.parametrize("kind", ["exact", "sketch", "probabilistic"])
def test_the_state_of_another_kind_of_admission_is_refused(kind):
    table = make_table(TableConfig.of("t", 3, admission=Admission(kind, width=4)))
    for other in {"exact", "sketch", "probabilistic"} - {kind}:
        twin = make_table(TableConfig.of("t", 3, admission=Admission(other, width=4)))
        with pytest.raises(InputError, match="admission"):
            table.restore_meta(**meta_of(twin))
        assert table.seq == 0


@pytest.mark.parametrize(
    "column",
    [{"counts": np.zeros(1, np.uint32)}, {"ids": np.zeros(2, np.int32)}, {"last_seen": None}],
    ids=["one too few", "int32", "absent"],
)
def test_an_admission_state_that_does_not_fit_is_refused(column):
    rules = (FeatureRule("f", threshold=9),)
    table = make_table(TableConfig.of("t", 3, features=rules))
    table.train_lookup(int64s(1, 2))
    meta = meta_of(table)
    state = {name: a for name, a in {**meta["admission"], **column}.items() if a is not None}
    again = make_table(table.config)
    with pytest.raises(InputError, match="admission"):
        again.restore_meta(**{**meta, "admission": state})
    assert meta_of(again)["admission"]["ids"].size == again.seq == 0


def test_a_sketch_of_another_size_is_refused_before_anything_changes():
    wide, narrow = (
        make_table(TableConfig.of("t", 3, admission=Admission("sketch", width=width)))
        for width in (8, 4)
    )
    wide.train_lookup(int64s(1))
    with pytest.raises(InputError, match="sketch"):
        narrow.restore_meta(**meta_of(wide))
    assert narrow.seq == 0


def test_iteration_and_cut_tell_the_same(new_table, rng):
    table = new_table(TableConfig.of("t", 3))
    train(table, rng, 3, start=0)
    with table.cut() as cut:
        np.testing.assert_equal(columns(cut), columns(table))
