"""An index over given ids finds the position of each and -1 for the others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.native import IdIndex, Layers
from tests.table.making import EXTREME_IDS, INT64, int64s

ANY_ID = st.integers(INT64.min, INT64.max) | st.sampled_from(EXTREME_IDS)


@given(st.lists(ANY_ID, unique=True), st.lists(ANY_ID))
def test_every_id_is_found_at_its_position_and_no_other_is(ids, asked):
    index = IdIndex(int64s(*ids))
    positions = {i: k for k, i in enumerate(ids)}
    found = index.find(int64s(*asked, *ids))
    assert found.dtype == np.int64
    assert found.tolist() == [positions.get(i, -1) for i in (*asked, *ids)]


def test_many_ids_are_found(rng):
    ids = np.unique(rng.integers(INT64.min, INT64.max, 50_000))
    rng.shuffle(ids)
    index = IdIndex(ids)
    np.testing.assert_array_equal(index.find(ids), np.arange(len(ids)))
    strangers = np.setdiff1d(rng.integers(INT64.min, INT64.max, 1000), ids)
    assert (index.find(strangers) == -1).all()
    assert index.num_bytes >= 4 * len(ids)


def test_the_ids_stay_alive_with_the_index():
    index = IdIndex(np.arange(1000) * 3)
    assert index.find(int64s(2997, 1)).tolist() == [999, -1]


@pytest.mark.parametrize(
    "ids",
    [np.ones(3, np.float32), np.ones((2, 2), np.int64), np.arange(6)[::2], np.ones(2, np.int32)],
)
def test_only_contiguous_int64_ids_are_indexed(ids):
    with pytest.raises(TypeError):
        IdIndex(ids)


def test_an_id_given_twice_is_refused():
    with pytest.raises(ValueError, match="7"):
        IdIndex(int64s(7, 8, 7))


def test_shards_side_by_side_answer_as_one_and_leave_strangers_alone(rng):
    ids = np.unique(rng.integers(INT64.min, INT64.max, 2000))
    rng.shuffle(ids)
    rows = rng.standard_normal((len(ids), 5)).astype(np.float32)
    asked = np.concatenate([ids[::3], int64s(1, 2), ids[:4], ids[:4]])
    out, found = np.full((len(asked), 5), 9, np.float32), np.empty(len(asked), bool)
    cut = [slice(0, 700), slice(700, None)]
    Layers([(IdIndex(ids[p].copy()), rows[p]) for p in cut], 5).read(asked, out, found)
    at = IdIndex(ids).find(asked)
    np.testing.assert_array_equal(found, at >= 0)
    np.testing.assert_array_equal(out[found], rows[at[found]])
    assert not found.all() and (out[~found] == 9).all()


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (3, 3)])
def test_arrays_that_do_not_fit_the_layers_are_refused(shape):
    layers = Layers([(IdIndex(int64s(4, 5)), np.ones((2, 3), np.float32))], 3)
    with pytest.raises(ValueError, match="do not fit together"):
        layers.read(int64s(4, 5), np.empty(shape, np.float32), np.zeros(2, bool))
    with pytest.raises(ValueError, match="differ in length"):
        layers.contains(int64s(4, 5), np.zeros(3, bool))


@pytest.mark.parametrize("shape", [(2, 2), (3, 3)])
def test_rows_that_do_not_fit_their_layer_are_refused(shape):
    with pytest.raises(ValueError, match="do not fit together"):
        Layers([(IdIndex(int64s(4, 5)), np.ones(shape, np.float32))], 3)
