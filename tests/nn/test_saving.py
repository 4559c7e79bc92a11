"""A model saved and loaded goes on as if it had never stopped; nothing is pickled."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchrec import EmbeddingBagConfig, KeyedJaggedTensor

from recsys_embed import Adam, InputError, SnapshotError
from recsys_embed.nn import EmbeddingBagCollection, load, save, tables_of
from tests.nn.making import batch_of


class Model(nn.Module):
    def __init__(self, seed: int = 0, dim: int = 4, name: str = "a") -> None:
        super().__init__()
        torch.manual_seed(seed)
        tables = [
            EmbeddingBagConfig(name=n, embedding_dim=dim, num_embeddings=9) for n in (name, "b")
        ]
        self.sparse = EmbeddingBagCollection(tables, optimizer=Adam(), lr=0.05)
        self.dense = nn.Linear(2 * dim, 1)

    def forward(self, batch: KeyedJaggedTensor) -> torch.Tensor:
        return self.dense(self.sparse(batch).values())


def train(model: Model, batches: list[KeyedJaggedTensor]) -> None:
    optimizer = torch.optim.SGD(model.dense.parameters(), lr=0.1)
    for batch in batches:
        optimizer.zero_grad()
        model(batch).square().sum().backward()
        optimizer.step()


def held(model: Model) -> dict[str, Any]:
    """Every bit of a model: its dense part, and its rows ordered by id."""
    bits: dict[str, Any] = {k: v.numpy().tobytes() for k, v in model.state_dict().items()}
    for name, table in tables_of(model).items():
        blocks = list(table.rows())
        order = np.argsort(np.concatenate([b.ids for b in blocks]))
        for column in ("ids", "weights", "state", "count", "seq"):
            whole = np.concatenate([getattr(b, column) for b in blocks])
            bits[f"{name}.{column}"] = whole[order].tobytes()
    return bits


@pytest.fixture
def batches(rng: np.random.Generator) -> list[KeyedJaggedTensor]:
    return [batch_of(rng, ["a", "b"], 6) for _ in range(6)]


def test_a_loaded_model_goes_on_as_if_it_had_never_stopped(
    tmp_path: Path, batches: list[KeyedJaggedTensor]
) -> None:
    model, resumed = Model(seed=1), Model(seed=2)
    train(model, batches[:3])
    path = save(tmp_path, model, extra={"step": 3})
    train(model, batches[3:])
    assert load(path, resumed).extra["step"] == 3
    train(resumed, batches[3:])
    assert held(resumed) == held(model)


def test_load_takes_the_newest_snapshot_of_a_folder(
    tmp_path: Path, batches: list[KeyedJaggedTensor]
) -> None:
    model, other = Model(), Model()
    save(tmp_path, model)
    train(model, batches)
    save(tmp_path, model, shards=2)
    load(tmp_path, other)
    assert held(other) == held(model)


def test_the_state_dict_holds_no_rows(batches: list[KeyedJaggedTensor]) -> None:
    model = Model()
    train(model, batches)
    rows = {len(t) for t in tables_of(model).values()}
    sizes = {name: value.numel() for name, value in model.state_dict().items()}
    assert sizes == {"sparse._extra_state": 4, "dense.weight": 8, "dense.bias": 1}
    assert min(rows) > 8


def test_a_state_dict_is_not_joined_to_tables_of_another_moment(
    batches: list[KeyedJaggedTensor],
) -> None:
    model = Model()
    train(model, batches[:1])
    state = model.state_dict()
    model.load_state_dict(state)
    train(model, batches[1:2])
    with pytest.raises(InputError, match=r"recsys_embed\.nn\.load"):
        model.load_state_dict(state)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"dim": 5}, "table 'a' was saved with segments"),
        ({"name": "c"}, r"\['a', 'b'\].*\['c', 'b'\]|\['b', 'c'\]"),
    ],
)
def test_a_model_of_other_tables_is_refused_and_left_alone(
    tmp_path: Path, batches: list[KeyedJaggedTensor], other: dict[str, Any], sentence: str
) -> None:
    save(tmp_path, Model())
    model = Model(**other)
    before = tables_of(model)
    with pytest.raises(SnapshotError, match=sentence):
        load(tmp_path, model)
    assert tables_of(model) == before


def test_a_dense_part_that_does_not_fit_leaves_the_tables_alone(
    tmp_path: Path, batches: list[KeyedJaggedTensor]
) -> None:
    save(tmp_path, Model())
    model = Model()
    model.dense = nn.Linear(8, 2)
    train(model, batches[:1])
    before = tables_of(model)
    with pytest.raises(RuntimeError, match=r"dense\.weight"):
        load(tmp_path, model)
    assert tables_of(model) == before


def test_two_tables_of_one_name_in_a_model_are_refused(tmp_path: Path) -> None:
    model = nn.ModuleList([Model(), Model()])
    with pytest.raises(InputError, match="two of this model are 'a'"):
        save(tmp_path, model)


def test_a_module_used_twice_is_saved_once(tmp_path: Path) -> None:
    shared = Model()
    assert set(tables_of(nn.ModuleList([shared, shared.sparse]))) == {"a", "b"}


def test_a_state_dict_that_is_no_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'dense\.weight' of the state dict is torch\.bfloat16"):
        save(tmp_path, Model().bfloat16())


@pytest.mark.parametrize("attempt", [copy.deepcopy, pickle.dumps])
def test_pickling_and_copying_say_what_to_do_instead(attempt: Any) -> None:
    with pytest.raises(InputError, match=r"recsys_embed\.nn\.save"):
        attempt(Model())
