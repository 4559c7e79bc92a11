"""What training writes, what reading must not, in which order forwards and backwards may come."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torchrec import EmbeddingBagConfig, EmbeddingConfig, KeyedJaggedTensor

from recsys_embed import SGD, ConfigError, FeatureRule, InputError, MissingIdError, Segment
from recsys_embed.nn import EmbeddingBagCollection, EmbeddingCollection

BAGS = [EmbeddingBagConfig(name="t", embedding_dim=2, num_embeddings=4, feature_names=["f"])]
SEQUENCES = [EmbeddingConfig(name="t", embedding_dim=2, num_embeddings=4, feature_names=["f"])]


def batch(*ids: int) -> KeyedJaggedTensor:
    return KeyedJaggedTensor(["f"], torch.tensor(ids), lengths=torch.tensor([len(ids)]))


def output(collection: Any, *ids: int) -> torch.Tensor:
    out = collection(batch(*ids))
    return out.values() if isinstance(collection, EmbeddingBagCollection) else out["f"].values()


@pytest.fixture(params=["pooled", "sequence"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Builds either collection over one table "t" of two dimensions with one feature "f"."""
    if request.param == "pooled":
        yield lambda **options: EmbeddingBagCollection(BAGS, **options)
    else:
        yield lambda **options: EmbeddingCollection(SEQUENCES, **options)


def everything(collection: Any) -> list[Any]:
    table = collection.tables["t"]
    columns = [
        [getattr(block, name).tolist() for block in table.rows()]
        for name in ("ids", "count", "seq")
    ]
    return [len(table), table.seq, *columns]


@pytest.mark.parametrize(
    ("is_training", "context"),
    [(False, nullcontext()), (True, torch.no_grad()), (True, torch.inference_mode())],
    ids=["eval", "no_grad", "inference_mode"],
)
def test_reading_never_inserts_refreshes_or_writes(
    make: Callable[..., Any], is_training: bool, context: AbstractContextManager[Any]
) -> None:
    collection = make()
    output(collection, 1, 2).sum().backward()
    before = everything(collection)
    collection.train(is_training)
    with context:
        read = output(collection, 1, 3)
    assert not read.requires_grad
    assert everything(collection) == before


def test_an_id_without_a_row_reads_in_evaluation_what_training_would_start_from(
    make: Callable[..., Any],
) -> None:
    collection = make(seed=5)
    assert_close(output(collection.eval(), 9), output(collection.train(), 9), rtol=0, atol=0)


def test_two_forwards_before_their_backwards_each_move_their_own_rows(
    make: Callable[..., Any],
) -> None:
    collection = make(optimizer=SGD(), lr=1.0)
    collection.tables["t"].assign(torch.tensor([1, 2]), torch.zeros(2, 2))
    first, second = output(collection, 1), output(collection, 2, 1)
    (first.sum() * 10).backward()
    second.sum().backward()
    rows = collection.tables["t"].lookup(np.array([1, 2]))
    np.testing.assert_array_equal(rows, [[-11, -11], [-1, -1]])


def test_one_backward_through_two_forwards_steps_for_each(make: Callable[..., Any]) -> None:
    collection = make(optimizer=SGD(), lr=1.0)
    collection.tables["t"].assign(torch.tensor([1]), torch.zeros(1, 2))
    (output(collection, 1).sum() + 2 * output(collection, 1).sum()).backward()
    np.testing.assert_array_equal(collection.tables["t"].lookup(np.array([1])), [[-3, -3]])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_no_table(make: Callable[..., Any], bad: float) -> None:
    collection = make()
    out = output(collection, 1)
    before = collection.tables["t"].lookup(np.array([1]))
    with pytest.raises(InputError, match="finite"):
        (out[:, 1] * bad).sum().backward()
    np.testing.assert_array_equal(collection.tables["t"].lookup(np.array([1])), before)


def test_finite_gradients_whose_sum_overflows_are_taken(make: Callable[..., Any]) -> None:
    collection = make(optimizer=SGD(), lr=1e-38)
    collection.tables["t"].assign(torch.tensor([1]), torch.zeros(1, 2))
    (output(collection, 1) * 2e38).sum().backward()
    np.testing.assert_allclose(collection.tables["t"].lookup(np.array([1])), [[-2, -2]], rtol=1e-6)


def test_the_learning_rate_is_that_of_the_backward(make: Callable[..., Any]) -> None:
    collection = make(optimizer=SGD(), lr=1.0)
    collection.tables["t"].assign(torch.tensor([1]), torch.zeros(1, 2))
    out = output(collection, 1)
    collection.set_lr({"t": 0.5})
    out.sum().backward()
    np.testing.assert_array_equal(collection.tables["t"].lookup(np.array([1])), [[-0.5, -0.5]])


def test_each_segment_learns_at_its_own_rate(make: Callable[..., Any]) -> None:
    halves = {"t": {"segments": (Segment(1, SGD()), Segment(1, SGD()))}}
    collection = make(table_options=halves, lr=(1.0, 0.25))
    collection.tables["t"].assign(torch.tensor([1]), torch.zeros(1, 2))
    output(collection, 1).sum().backward()
    np.testing.assert_array_equal(collection.tables["t"].lookup(np.array([1])), [[-1, -0.25]])


@pytest.mark.parametrize(
    ("lr", "sentence"),
    [
        ({"u": 0.1}, "lr has no table 'u'"),
        ((0.1, 0.2), "needs 1 learning rates, got 2"),
        ({}, "have none"),
    ],
)
def test_learning_rates_that_fit_no_table_are_refused(
    make: Callable[..., Any], lr: Any, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make(lr=lr)


def test_rows_expire_by_the_time_the_module_was_given(make: Callable[..., Any]) -> None:
    collection = make(rules={"f": FeatureRule("f", ttl_s=10)})
    collection.set_time(100)
    output(collection, 1)
    collection.set_time(105)
    output(collection, 2)
    assert collection.tables["t"].expire(now=110).ids.tolist() == [1]


def test_a_table_with_a_ttl_refuses_a_training_forward_without_time(
    make: Callable[..., Any],
) -> None:
    collection = make(rules={"f": FeatureRule("f", ttl_s=10)})
    with pytest.raises(InputError, match="time"):
        output(collection, 1)


def test_missing_ids_are_an_error_in_evaluation_alone_if_so_chosen(
    make: Callable[..., Any],
) -> None:
    collection = make(missing="error")
    output(collection, 1)
    with pytest.raises(MissingIdError, match="2"):
        output(collection.eval(), 1, 2)


def test_the_module_shows_no_parameter_to_torch_s_optimizers(make: Callable[..., Any]) -> None:
    collection = make()
    assert list(collection.parameters()) == [] and list(collection.buffers()) == []


def test_results_go_to_the_device_the_module_was_moved_to(make: Callable[..., Any]) -> None:
    assert output(make(device="meta").eval(), 1).device.type == "meta"
    assert output(make().to("meta").eval(), 1).device.type == "meta"
    assert output(make().half().eval(), 1).device.type == "cpu"
