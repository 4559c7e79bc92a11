"""Networks after the tables: shapes, equations by hand, and what they refuse."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recsys_embed import ConfigError
from training.models import DCN, DLRM, DNN, DeepFM, Inputs, ModelConfig, Shape, WideDeep
from training.models.layers import CrossNet, PairwiseDots, factorization

MODELS = (
    DNN(),
    DLRM(),
    DCN(),
    DCN(rank=2),
    DeepFM(),
    WideDeep(),
    DNN(hidden=()),
    DNN(batch_norm=True),
    DCN(cross_layers=0, dropout=0.5),
)


def inputs_of(shape: Shape, batch: int) -> Inputs:
    torch.manual_seed(0)
    vectors = [torch.randn(batch, dim) for dim in shape.dims]
    return Inputs(
        torch.randn(batch, shape.num_dense), vectors, torch.randn(batch, shape.num_firsts)
    )


@pytest.mark.parametrize("config", MODELS, ids=lambda c: c.kind)
@pytest.mark.parametrize("num_dense", [0, 3])
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_every_model_gives_one_finite_number_an_event(
    config: ModelConfig, num_dense: int, batch: int
) -> None:
    shape = Shape(num_dense, (4, 4, 4), 3 if config.is_wide else 0)
    logits = config.build(shape).eval()(inputs_of(shape, batch))
    assert logits.shape == (batch,) and torch.isfinite(logits).all()


@pytest.mark.parametrize("config", MODELS, ids=lambda c: c.kind)
def test_an_event_does_not_look_at_its_neighbours(config: ModelConfig) -> None:
    shape = Shape(2, (4, 4), 2 if config.is_wide else 0)
    model, inputs = config.build(shape).eval(), inputs_of(shape, 6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = Inputs(inputs.dense[order], [v[order] for v in inputs.vectors], inputs.firsts[order])
    torch.testing.assert_close(model(shuffled), model(inputs)[order])


@pytest.mark.parametrize("config", MODELS, ids=lambda c: c.kind)
def test_every_input_receives_a_gradient(config: ModelConfig) -> None:
    shape = Shape(2, (4, 4), 2 if config.is_wide else 0)
    inputs = inputs_of(shape, 6)
    leaves = [inputs.dense, *inputs.vectors, *([inputs.firsts] if config.is_wide else [])]
    for leaf in leaves:
        leaf.requires_grad_()
    config.build(shape)(inputs).sum().backward()
    assert all(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in leaves)


def test_a_cross_layer_is_its_equation() -> None:
    net = CrossNet(2, layers=2)
    w1, w2 = torch.tensor([[1.0, 2], [0, 1]]), torch.tensor([[0.0, 1], [1, 0]])
    for layer, weight in zip(net.layers, (w1, w2), strict=True):
        layer.weight.data, layer.bias.data = weight, torch.tensor([0.5, -1.0])
    # x0 = (1, 3): W1 x0 + b = (7.5, 2), x1 = (7.5 + 1, 6 + 3); W2 x1 + b = (9.5, 7.5)
    expected = torch.tensor([[1 * 9.5 + 8.5, 3 * 7.5 + 9]])
    torch.testing.assert_close(net(torch.tensor([[1.0, 3.0]])), expected)


@given(st.integers(1, 5), st.integers(0, 3), st.integers(1, 4))
def test_pairwise_dots_and_factorization_agree_with_loops(
    num_vectors: int, batch: int, dim: int
) -> None:
    vectors = torch.randn(
        batch, num_vectors, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    dots = [[float(v[i] @ v[j]) for i in range(num_vectors) for j in range(i)] for v in vectors]
    expected = torch.tensor(dots, dtype=torch.float64).reshape(
        batch, num_vectors * (num_vectors - 1) // 2
    )
    got: Tensor = PairwiseDots(num_vectors)(vectors)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(factorization(vectors), expected.sum(1))


@pytest.mark.parametrize("config", [DLRM(), DeepFM()], ids=lambda c: c.kind)
def test_mixed_dimensions_are_refused_where_vectors_are_compared(config: ModelConfig) -> None:
    with pytest.raises(
        ConfigError, match=rf"model {config.kind} needs features of one dimension, got \[4, 8\]"
    ):
        config.build(Shape(0, (4, 8), 2))


def test_wide_and_deep_adds_the_first_order_weights() -> None:
    shape = Shape(1, (4,), 2)
    model, inputs = WideDeep(hidden=(3,)).build(shape), inputs_of(shape, 5)
    without = inputs._replace(firsts=torch.zeros(5, 2))
    torch.testing.assert_close(model(inputs) - model(without), inputs.firsts.sum(1))
