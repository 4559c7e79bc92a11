"""The bounded-memory count may admit an id early, never late."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import Admission, CollisionlessTable, FeatureRule, TableConfig
from tests.table.making import all_ids, dump, int64s


def table_of(width, depth, threshold):
    return CollisionlessTable(
        TableConfig.of(
            "t",
            1,
            features=(FeatureRule("f", threshold=threshold),),
            admission=Admission("sketch", width=width, depth=depth),
        )
    )


@given(
    batches=st.lists(st.lists(st.integers(-20, 20), max_size=12), max_size=12),
    width=st.sampled_from([1, 2, 16, 1 << 12]),
    depth=st.integers(1, 4),
    threshold=st.integers(0, 5),
)
def test_an_id_is_never_admitted_late(batches, width, depth, threshold):
    table, occurred = table_of(width, depth, threshold), Counter()
    for batch in batches:
        table.train_lookup(int64s(*batch))
        occurred.update(batch)
        due = [i for i, n in occurred.items() if n >= max(threshold, 1)]
        assert table.contains(int64s(*due)).all()
        assert set(all_ids(table)) <= set(occurred)


def test_a_roomy_sketch_admits_at_the_exact_occurrence(rng):
    """100 ids in 4 lines of 2^16 cells: all four cells of one shared with chance below 1e-10."""
    table, occurred = table_of(1 << 16, 4, 3), Counter()
    for _ in range(10):
        batch = rng.integers(-50, 50, 40)
        table.train_lookup(batch)
        occurred.update(batch.tolist())
        ids = int64s(*occurred)
        np.testing.assert_array_equal(table.contains(ids), [occurred[int(i)] >= 3 for i in ids])


def test_a_crowded_sketch_admits_early():
    table = table_of(1, 1, 3)
    table.train_lookup(int64s(1, 2, 3))
    np.testing.assert_array_equal(table.contains(int64s(1, 2, 3)), [False, False, True])


def test_filtered_ids_take_no_memory():
    table = table_of(1 << 10, 2, 2**31)
    table.train_lookup(np.arange(100))
    before = table.stats()
    table.train_lookup(np.arange(100, 20_000))
    after = table.stats()
    assert (after.rows, after.bytes, after.index_bytes) == (0, before.bytes, before.index_bytes)


def test_the_sketch_survives_a_restore(rng):
    table = table_of(1 << 8, 2, 4)
    for _ in range(5):
        table.train_lookup(rng.integers(0, 200, 60))
    again = CollisionlessTable(table.config)
    with table.cut() as cut:
        for block in cut.blocks():
            again.restore_rows(block)
        again.restore_meta(
            seq=cut.seq, clock_s=cut.clock_s, counters=cut.counters, admission=cut.admission
        )
    for _ in range(5):
        batch = rng.integers(0, 200, 60)
        table.train_lookup(batch)
        again.train_lookup(batch)
    assert dump(again) == dump(table)
    assert again.stats().filtered == table.stats().filtered
