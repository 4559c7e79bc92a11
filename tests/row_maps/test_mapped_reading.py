"""How a mapped table reads: threads, outputs, long batches, ids of which rows are absent."""

from typing import Any

import numpy as np
import pytest

import recsys_embed
from recsys_embed import MissingIdError, RowwiseAdagrad, TableConfig, make_table
from recsys_embed.row_maps import Bloom, Hashed
from recsys_embed.rules import FeatureRule
from tests.row_maps.making import DIM, FEATURES, KNOWN
from tests.row_maps.test_mapped_table import EVERY_MAP, LR, config_of
from tests.table.making import columns, dump


@EVERY_MAP
def test_any_number_of_threads_gives_the_same_bits(name: str, rng: np.random.Generator) -> None:
    ids = np.concatenate([KNOWN, rng.integers(0, 2000, 4000)])
    offsets = np.arange(len(ids) + 1, dtype=np.int64)
    config, dumps = config_of(name, RowwiseAdagrad()), []
    grads = rng.normal(size=(len(ids), config.vector_dim(FEATURES[0]))).astype(np.float32)
    before = recsys_embed.num_threads()
    try:
        for threads in (1, 2, 3):
            recsys_embed.set_num_threads(threads)
            table = make_table(config)
            found = table.train_lookup(ids)
            table.apply_gradients(found.rows, grads, lr=LR)
            found = table.train_lookup_pooled(ids, offsets)
            table.apply_pooled_gradients(found.rows, offsets, grads, lr=LR)
            read = table.lookup(ids), table.lookup_pooled(ids, offsets)
            np.testing.assert_array_equal(read[0], read[1])
            dumps.append((dump(table), read[0].tobytes()))
    finally:
        recsys_embed.set_num_threads(before)
    assert dumps[0] == dumps[1] == dumps[2]


@EVERY_MAP
def test_out_is_where_vectors_go(name: str) -> None:
    table, ids = make_table(config_of(name)), KNOWN
    width, offsets = table.config.vector_dim(FEATURES[0]), np.array([0, 2, 2, 12])
    wide = np.full((len(ids), width + 3), 7, np.float32)
    assert table.train_lookup(ids, out=wide[:, 1:-2]).values.base is wide
    np.testing.assert_array_equal(wide[:, 1:-2], table.lookup(ids))
    assert (wide[:, [0, -1, -2]] == 7).all()
    few = np.full((3, width + 1), 7, np.float32)
    for call in (table.lookup_pooled, table.train_lookup_pooled):
        few[:] = 7
        call(ids, offsets, out=few[:, :-1])
        np.testing.assert_array_equal(few[:, :-1], table.lookup_pooled(ids, offsets))
        assert (few[:, -1] == 7).all()


@EVERY_MAP
def test_long_batches_are_read_as_short_ones(name: str, rng: np.random.Generator) -> None:
    table, ids = make_table(config_of(name)), rng.integers(-300, 300, 5000)
    table.train_lookup(ids[:50].copy())
    for missing in ("initial", "zeros"):
        whole = table.lookup(ids, missing=missing)
        parts = [table.lookup(part, missing=missing) for part in np.split(ids, [1, 2047, 2049])]
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def half_there() -> tuple[Any, int, int, int]:
    """A Bloom table and ids: one with both rows, one with one of them, one with none."""
    table: Any = make_table(config_of("double_hash"))
    row_map = Bloom(rows=11)
    rows = {i: set(row_map.map(np.array([i])).rows[0].tolist()) for i in range(200)}
    whole = next(i for i in rows if len(rows[i]) == 2)
    half = next(i for i in rows if len(rows[i]) == 2 and len(rows[i] & rows[whole]) == 1)
    none = next(i for i in rows if not rows[i] & rows[whole])
    table.train_lookup(np.array([whole]))
    return table, whole, half, none


def test_an_id_is_there_if_all_its_rows_are() -> None:
    table, whole, half, none = half_there()
    assert table.contains(np.array([whole, half, none])).tolist() == [True, False, False]
    assert whole in table and half not in table


def test_missing_zeros_and_initial_are_said_of_rows_and_a_vector_of_ids() -> None:
    table, whole, half, none = half_there()
    ids = np.array([whole, half, none])
    start = table.initial_values(ids)
    np.testing.assert_array_equal(table.lookup(ids), start)
    zeros = table.lookup(ids, missing="zeros")
    np.testing.assert_array_equal(zeros[[0, 2]], [start[0], np.zeros(DIM)])
    (shared,) = set(Bloom(rows=11).map(ids[:1]).rows[0]) & set(Bloom(rows=11).map(ids[1:2]).rows[0])
    held = columns(table)
    np.testing.assert_array_equal(zeros[1], held["weights"][held["ids"] == shared][0])
    vector = np.arange(DIM, dtype=np.float32)
    np.testing.assert_array_equal(table.lookup(ids, missing=vector), [start[0], vector, vector])
    both = table.lookup_pooled(ids, np.array([0, 2, 3]), missing=vector)
    np.testing.assert_array_equal(both, [start[0] + vector, vector])


def test_missing_error_names_ids_and_changes_nothing() -> None:
    table, whole, half, none = half_there()
    assert table.lookup(np.array([whole]), missing="error").shape == (1, DIM)
    before = dump(table)
    for call in (
        lambda ids: table.lookup(ids, missing="error"),
        lambda ids: table.lookup_pooled(ids, np.array([0, 3]), missing="error"),
    ):
        with pytest.raises(MissingIdError, match=f"2 of 3 ids: {half}, {none}"):
            call(np.array([whole, half, none]))
    assert dump(table) == before


def test_rows_are_admitted_by_the_occurrences_of_all_ids_that_share_them() -> None:
    config = TableConfig.of(
        "t", 2, row_map=Hashed(rows=1), features=(FeatureRule("f", threshold=3),)
    )
    table = make_table(config)
    table.train_lookup(np.array([1, 2]))
    assert len(table) == 0
    table.train_lookup(np.array([3]))
    assert len(table) == 1
