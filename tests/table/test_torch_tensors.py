"""CPU tensors are taken wherever arrays are, and nothing is copied on the way."""

import numpy as np
import pytest
import torch

from recsys_embed import CollisionlessTable, InputError, TableConfig
from recsys_embed.arrays import as_ids, as_matrix, as_offsets, as_output, as_weights
from tests.table.making import dump, int64s

CONFIG = TableConfig.of("t", 4)


@pytest.fixture
def table():
    table = CollisionlessTable(CONFIG)
    table.train_lookup(np.arange(10))
    return table


def test_tensors_give_what_arrays_give():
    tables = CollisionlessTable(CONFIG), CollisionlessTable(CONFIG)
    for table, convert in zip(tables, (np.asarray, torch.as_tensor), strict=True):
        ids, offsets = convert(int64s(1, -2, 1)), convert(int64s(0, 2, 3))
        weights = convert(np.array([1, 2, 3], np.float32))
        grads = convert(np.arange(8, dtype=np.float32).reshape(2, 4))
        handle = table.train_lookup_pooled(ids, offsets, weights=weights).rows
        table.apply_pooled_gradients(handle, offsets, grads, lr=0.1, weights=weights)
        table.apply_gradients(ids[:2], grads, lr=0.1)
        table.assign(ids[1:], grads)
        table.evict(convert(int64s(1)))
    assert dump(tables[0]) == dump(tables[1])


def test_an_out_tensor_is_written_in_place(table):
    out = torch.zeros(2, 4)
    table.lookup(torch.tensor([1, 2]), out=out)
    np.testing.assert_array_equal(out.numpy(), table.lookup(int64s(1, 2)))
    wide = torch.zeros(2, 10)
    table.lookup_pooled(torch.tensor([1, 2]), torch.tensor([0, 1, 2]), out=wide[:, 3:7])
    np.testing.assert_array_equal(wide[:, 3:7].numpy(), table.lookup(int64s(1, 2)))
    assert (wide[:, :3] == 0).all() and (wide[:, 7:] == 0).all()


def test_nothing_is_copied_on_the_way():
    ids, grads = torch.arange(4), torch.ones(2, 4)
    for viewed, tensor in (
        (as_ids(ids), ids),
        (as_offsets(ids, 3), ids),
        (as_matrix(grads, 2, 4, "grads"), grads),
        (as_matrix(grads[:, 1:3], 2, 2, "grads"), grads),
        (as_output(grads, 2, 4), grads),
        (as_weights(grads[0], 4), grads),
    ):
        assert np.shares_memory(viewed, tensor.numpy())


def test_a_gradient_tensor_may_be_a_view(table):
    twin = CollisionlessTable(CONFIG)
    twin.train_lookup(np.arange(10))
    wide = torch.arange(20, dtype=torch.float32).reshape(2, 10)
    table.apply_gradients(torch.tensor([1, 2]), wide[:, 3:7], lr=0.1)
    twin.apply_gradients(int64s(1, 2), wide[:, 3:7].numpy(), lr=0.1)
    np.testing.assert_array_equal(table.lookup(int64s(1, 2)), twin.lookup(int64s(1, 2)))


def test_what_absent_ids_read_may_be_a_tensor(table):
    values = table.lookup(torch.tensor([99]), missing=torch.tensor([1.0, 2, 3, 4]))
    np.testing.assert_array_equal(values, [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    "grads",
    [
        torch.ones(2, 4, dtype=torch.float64),
        torch.ones(2, 4, dtype=torch.bfloat16),
        torch.ones(2, 3),
        torch.ones(4, 2).T,
        torch.full((2, 4), torch.nan),
        torch.ones(2, 4, device="meta"),
    ],
    ids=["float64", "bfloat16", "dimension", "transposed", "nan", "another device"],
)
def test_tensors_that_do_not_fit_are_refused_and_change_nothing(table, grads):
    before = dump(table)
    with pytest.raises(InputError):
        table.apply_gradients(torch.tensor([1, 2]), grads, lr=0.1)
    assert dump(table) == before


def test_float_id_tensors_are_refused(table):
    with pytest.raises(InputError, match="int64"):
        table.lookup(torch.tensor([1.0]))
