"""Every optimizer against a numpy version of its equations and, where it has one, torch.optim."""

import numpy as np
import pytest
import torch

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    CollisionlessTable,
    Constant,
    RowwiseAdagrad,
    TableConfig,
)
from tests.reference.optimizers import fresh_state, stepped
from tests.table.making import columns, int64s, row

OPTIMIZERS = [
    SGD(weight_decay=0.03),
    Adagrad(weight_decay=0.03, initial_accumulator=0.1, eps=1e-3),
    RowwiseAdagrad(weight_decay=0.03, initial_accumulator=0.1, eps=1e-3),
    Adam(weight_decay=0.03, beta1=0.8, beta2=0.99, eps=1e-3),
    FTRL(weight_decay=0.03, l1=0.2, l2=0.05, beta=0.7),
]
DEFAULTS = [SGD(), Adagrad(), RowwiseAdagrad(), Adam(), FTRL()]
NUM_STEPS = 12
LR = 0.05
# float32 keeps 2^-24 of each operation: a dozen operations a step, a dozen steps, in random walk
RTOL, ATOL = 2e-5, 2e-6


def table_of(optimizer, dim, rows):
    table = CollisionlessTable(TableConfig.of("t", dim, optimizer=optimizer))
    table.assign(np.arange(len(rows)), rows)
    return table


def draws(rng, dim, num_rows=3):
    """Weights and gradients of both signs, (num_rows, dim) and (steps, num_rows, dim)."""
    weights = rng.standard_normal((num_rows, dim)).astype(np.float32)
    grads = rng.standard_normal((NUM_STEPS, num_rows, dim)).astype(np.float32)
    return weights, grads


@pytest.mark.parametrize("dim", [1, 3, 4, 8, 15, 16, 17, 33, 64, 100])
@pytest.mark.parametrize("optimizer", OPTIMIZERS + DEFAULTS, ids=repr)
def test_steps_follow_the_equations(optimizer, dim, rng):
    start, grads = draws(rng, dim)
    table = table_of(optimizer, dim, start)
    expected = [(w.astype(np.float64), fresh_state(optimizer, dim)) for w in start]
    for step in grads:
        table.apply_gradients(np.arange(len(start)), step, lr=LR)
        expected = [
            stepped(optimizer, w, s, g.astype(np.float64), LR)
            for (w, s), g in zip(expected, step, strict=True)
        ]
    held = columns(table)
    np.testing.assert_allclose(held["weights"], [w for w, _ in expected], RTOL, ATOL)
    np.testing.assert_allclose(held["state"], [s for _, s in expected], RTOL, ATOL)


def torch_twin(optimizer, weights):
    match optimizer:
        case SGD():
            return torch.optim.SGD([weights], lr=LR, weight_decay=optimizer.weight_decay)
        case Adagrad():
            return torch.optim.Adagrad(
                [weights],
                lr=LR,
                weight_decay=optimizer.weight_decay,
                initial_accumulator_value=optimizer.initial_accumulator,
                eps=optimizer.eps,
            )
        case Adam():
            return torch.optim.Adam(
                [weights],
                lr=LR,
                betas=(optimizer.beta1, optimizer.beta2),
                eps=optimizer.eps,
                weight_decay=optimizer.weight_decay,
            )


@pytest.mark.parametrize(
    "optimizer",
    [o for o in OPTIMIZERS + DEFAULTS if isinstance(o, (SGD, Adagrad, Adam))],
    ids=repr,
)
def test_a_row_that_steps_every_time_equals_torch(optimizer, rng):
    start, grads = draws(rng, dim=20, num_rows=1)
    table = table_of(optimizer, 20, start)
    weights = torch.nn.Parameter(torch.from_numpy(start.copy()))
    twin = torch_twin(optimizer, weights)
    for step in grads:
        table.apply_gradients(int64s(0), step, lr=LR)
        weights.grad = torch.from_numpy(step.copy())
        twin.step()
    np.testing.assert_allclose(table.lookup(int64s(0)), weights.detach().numpy(), RTOL, ATOL)


def test_rowwise_adagrad_equals_fbgemm(rng):
    fbgemm = pytest.importorskip("fbgemm_gpu.split_table_batched_embeddings_ops_training")
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation

    optimizer = RowwiseAdagrad(eps=1e-3)  # FBGEMM's CPU kernel leaves weight decay out
    start, grads = draws(rng, dim=16, num_rows=1)
    twin = fbgemm.SplitTableBatchedEmbeddingBagsCodegen(
        [(1, 16, EmbeddingLocation.HOST, fbgemm.ComputeDevice.CPU)],
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
        learning_rate=LR,
        eps=optimizer.eps,
    )
    twin.split_embedding_weights()[0].data.copy_(torch.from_numpy(start))
    table = table_of(optimizer, 16, start)
    one_bag = torch.tensor([0]), torch.tensor([0, 1])
    for step in grads:
        table.apply_gradients(int64s(0), step, lr=LR)
        twin(*one_bag).backward(torch.from_numpy(step))
    expected = twin.split_embedding_weights()[0].detach().numpy()
    np.testing.assert_allclose(table.lookup(int64s(0)), expected, RTOL, ATOL)


def test_adam_counts_the_steps_of_each_row_alone(rng):
    start, grads = draws(rng, dim=4, num_rows=2)
    often, seldom = table_of(Adam(), 4, start), table_of(Adam(), 4, start)
    for step in grads:
        often.apply_gradients(int64s(0), step[:1], lr=LR)
    often.apply_gradients(int64s(1), grads[0][1:], lr=LR)
    seldom.apply_gradients(int64s(1), grads[0][1:], lr=LR)
    np.testing.assert_array_equal(often.lookup(int64s(1)), seldom.lookup(int64s(1)))
    assert [row(often, i)["state"][0] for i in (0, 1)] == [NUM_STEPS, 1]


def test_the_first_ftrl_step_starts_from_the_initial_weight():
    """With l1 = l2 = 0 and z = n = 0: w1 = -lr * (g - |g| / lr * w0) / (beta + |g|)."""
    config = TableConfig.of("t", 1, optimizer=FTRL(beta=0.5), initializer=Constant(0.3))
    table = CollisionlessTable(config)
    handle = table.train_lookup(int64s(1)).rows
    table.apply_gradients(handle, np.array([[-2.0]], np.float32), lr=0.1)
    expected = -0.1 * (-2.0 - 2.0 / 0.1 * 0.3) / (0.5 + 2.0)
    np.testing.assert_allclose(table.lookup(int64s(1)), [[expected]], rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_both_signs_are_treated_alike(optimizer, rng):
    start, grads = draws(rng, dim=5)
    table, mirrored = table_of(optimizer, 5, start), table_of(optimizer, 5, -start)
    for step in grads:
        table.apply_gradients(np.arange(3), step, lr=LR)
        mirrored.apply_gradients(np.arange(3), -step, lr=LR)
    np.testing.assert_array_equal(table.lookup(np.arange(3)), -mirrored.lookup(np.arange(3)))
