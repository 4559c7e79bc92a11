"""A description outlasts a trip through a snapshot, and refuses names that lead nowhere."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.errors import ConfigError
from recsys_embed.retrieval.description import (
    EXTRA,
    Bridge,
    Ids,
    IndexDescription,
    Number,
    Relation,
    Retrieval,
    Tower,
    array_name,
    arrays_under,
    read,
    spelled,
    tower_array,
)
from recsys_embed.snapshot import open_snapshot, write_snapshot

USER = Tower((Ids("customer", "customer"), Ids("history", "item", most=50)), dim=8, interests=2)
ITEM = Tower((Ids("item", "item"), Ids("name", "word", text=True), Number("price", log=True)), 8)
ITEMS = IndexDescription(
    "item_vector",
    "cosine",
    user_tower="user",
    item_tower="item",
    users="user_vector",
    seen="history",
    item="item",
    name="name",
    attributes={"name": "str", "price": "float", "country": "tags"},
    config={"target_recall": 0.99},
    relevance=True,
    relations={"complementary": Relation("in", "out")},
    bridges=(Bridge("0a", "mean", recall=0.97, k=100, queries=500),),
)
TOLD = Retrieval(
    "5f3a",
    {"user": USER, "item": ITEM},
    {"items": ITEMS, "out": IndexDescription("out", "inner_product")},
)


def test_a_snapshot_gives_back_what_was_told(tmp_path: Path) -> None:
    arrays = {tower_array("user"): np.arange(5, dtype=np.uint8)}
    arrays |= {array_name("items", "relevance", "w/1"): np.ones(3, np.float32)}
    write_snapshot(tmp_path, {}, dense=arrays, extra={EXTRA: spelled(TOLD)})
    found = open_snapshot(tmp_path)
    assert read(found.extra) == TOLD
    assert found.dense["towers/user.onnx"].tolist() == [0, 1, 2, 3, 4]
    assert arrays_under(found.dense, "items", "relevance")["w/1"].tolist() == [1, 1, 1]
    assert arrays_under(found.dense, "item", "relevance") == {}


def test_it_is_plain_json() -> None:
    assert json.loads(json.dumps(spelled(TOLD))) == spelled(TOLD)


def test_a_snapshot_may_say_nothing() -> None:
    assert read({"log": {}}) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"user_tower": "usr"}, "indexes.items.user_tower names 'usr'; did you mean 'user'"),
        ({"item_tower": "usr"}, "indexes.items.item_tower names 'usr'"),
        ({"seen": "histories"}, "indexes.items.seen names 'histories'; did you mean 'history'"),
        ({"item": "customer"}, "indexes.items.item names 'customer'"),
        ({"name": "nme"}, "indexes.items.name names 'nme'; did you mean 'name'"),
        ({"relations": {"similar": Relation("in", "outt")}}, "names 'outt'; did you mean 'out'"),
        ({"user_tower": None}, "indexes.items.seen names 'history'; known: nothing"),
    ],
)
def test_names_that_lead_nowhere(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        replace(TOLD, indexes={**TOLD.indexes, "items": replace(ITEMS, **change)})


@pytest.mark.parametrize(
    "values",
    [
        {**spelled(TOLD), "version": 2},
        {**spelled(TOLD), "tower": 1},
        {**spelled(TOLD), "towers": {"user": {"inputs": [], "dim": 8}}},
        {**spelled(TOLD), "towers": {"user": {"inputs": [{"kind": "text"}], "dim": 8}}},
        [],
    ],
)
def test_what_is_no_description(values: object) -> None:
    with pytest.raises(ConfigError):
        read({EXTRA: values})


def test_inputs_of_one_feature() -> None:
    with pytest.raises(ConfigError, match="distinct features"):
        Tower((Ids("item", "item"), Number("item")), dim=1)
