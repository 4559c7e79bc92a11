"""The single-table twins against `torch.nn.EmbeddingBag` and `torch.nn.Embedding`."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from recsys_embed import SGD, ConfigError, FeatureRule, InputError, TableConfig
from recsys_embed.nn import Embedding, EmbeddingBag

CONFIG = TableConfig.of("t", 5, optimizer=SGD())
MODES = st.sampled_from(["sum", "mean"])


def twin(
    mode: Any, num_rows: int = 30, **options: Any
) -> tuple[EmbeddingBag, torch.nn.EmbeddingBag]:
    theirs = torch.nn.EmbeddingBag(num_rows, 5, mode=mode, **options)
    ours = EmbeddingBag(CONFIG, mode=mode, lr=0.1, **options)
    ours.table.assign(torch.arange(num_rows), theirs.weight.detach())
    return ours, theirs


@given(
    lengths=st.lists(st.integers(0, 3), max_size=6),
    mode=MODES,
    ends=st.booleans(),
    seed=st.integers(0, 99),
)
def test_bags_and_their_gradients_equal_torch_s(
    lengths: list[int], mode: str, ends: bool, seed: int
) -> None:
    ours, theirs = twin(mode, include_last_offset=ends)
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(0, 30, sum(lengths)))
    edges = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64)
    offsets = edges if ends else edges[:-1]
    pull = torch.from_numpy(rng.normal(size=(len(lengths), 5)).astype(np.float32))
    out, expected = ours(ids, offsets), theirs(ids, offsets)
    assert_close(out, expected, rtol=1e-6, atol=1e-6)
    (out * pull).sum().backward()
    (expected * pull).sum().backward()
    stepped = theirs.weight.detach() - 0.1 * (
        0 if theirs.weight.grad is None else theirs.weight.grad
    )
    assert_close(torch.from_numpy(ours.table.lookup(np.arange(30))), stepped, rtol=1e-6, atol=1e-6)


def test_ids_in_two_dimensions_are_bags_of_one_length() -> None:
    ours, theirs = twin("mean")
    ids = torch.tensor([[1, 2, 3], [4, 4, 4]])
    assert_close(ours(ids), theirs(ids), rtol=1e-6, atol=1e-6)
    assert ours(torch.empty(0, 3, dtype=torch.int64)).shape == (0, 5)


@pytest.mark.parametrize("wants_gradient", [False, True])
def test_weights_multiply_and_get_torch_s_gradient_if_they_ask(wants_gradient: bool) -> None:
    ours, theirs = twin("sum")
    ids, offsets = torch.tensor([1, 2, 2, 3]), torch.tensor([0, 3, 3])
    pull, grads = torch.arange(15.0).view(3, 5), []
    for side in (ours, theirs):
        weights = torch.tensor([0.5, -1.0, 2.0, 3.0], requires_grad=wants_gradient)
        out = side(ids, offsets, per_sample_weights=weights)
        (out * pull).sum().backward()
        grads.append(weights.grad)
    assert (grads[0] is not None) == wants_gradient
    if wants_gradient:
        assert_close(grads[0], grads[1], rtol=1e-5, atol=1e-6)
    stepped = theirs.weight.detach() - 0.1 * theirs.weight.grad
    assert_close(torch.from_numpy(ours.table.lookup(np.arange(30))), stepped, rtol=1e-6, atol=1e-6)


@given(shape=st.lists(st.integers(0, 3), max_size=3))
def test_embedding_keeps_the_shape_of_its_ids(shape: list[int]) -> None:
    theirs = torch.nn.Embedding(30, 5)
    ours = Embedding(CONFIG, lr=0.1)
    ours.table.assign(torch.arange(30), theirs.weight.detach())
    ids = torch.randint(0, 30, shape, generator=torch.Generator().manual_seed(0))
    out, expected = ours(ids), theirs(ids)
    assert_close(out, expected, rtol=0, atol=0)
    out.square().sum().backward()
    expected.square().sum().backward()
    stepped = theirs.weight.detach() - 0.1 * theirs.weight.grad
    assert_close(torch.from_numpy(ours.table.lookup(np.arange(30))), stepped, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "offsets"),
    [
        (torch.ones(3, dtype=torch.int64), None),
        (torch.ones(3, 2, dtype=torch.int64), torch.tensor([0])),
        (torch.ones(3, dtype=torch.int64), torch.tensor([[0]])),
    ],
)
def test_shapes_torch_refuses_are_refused(ids: torch.Tensor, offsets: torch.Tensor | None) -> None:
    with pytest.raises(InputError, match=r"\(N,\) with offsets \(B,\), or \(B, L\) without"):
        EmbeddingBag(CONFIG)(ids, offsets)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape of the ids \(2,\), got \(3,\)"):
        EmbeddingBag(CONFIG)(torch.tensor([1, 2]), torch.tensor([0]), torch.ones(3))


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="'max'"):
        EmbeddingBag(CONFIG, mode="max")  # type: ignore[arg-type]


def test_a_table_of_several_features_belongs_in_a_collection() -> None:
    config = TableConfig.of("t", 5, features=(FeatureRule("a"), FeatureRule("b")))
    with pytest.raises(ConfigError, match="use a collection"):
        Embedding(config)
