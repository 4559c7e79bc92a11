"""The planted shop is what it says: files, vectors and attributes agree with each other."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from recsys_embed.index.attributes import Schema, values_of
from recsys_embed.retrieval.description import arrays_under, read, tower_array
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import encode
from recsys_embed.retrieval.relevance import Adapter
from recsys_embed.snapshot import open_snapshot
from tests.retrieval_serving.planted import DIM, ITEM_TOWER, KINDS, USER_TOWER, plant
from tests.retrieval_serving.tiny_towers import TinyTower


@pytest.mark.parametrize("items", [0, 1, 200])
def test_the_snapshot_holds_what_the_shop_says(tmp_path: Path, items: int) -> None:
    shop = plant(tmp_path, items=items)
    snapshot = open_snapshot(shop.path)
    told = read(snapshot.extra)
    assert told is not None and told.tower_version == "one"
    held = snapshot.tables["item_vector"].lookup(shop.ids, missing="error")
    assert np.array_equal(held.values, shop.vectors)
    schema = Schema(told.indexes["items"].attributes)  # type: ignore[arg-type]
    values = values_of(arrays_under(snapshot.dense, "items", "attributes"), schema)
    assert [{k: v[i] for k, v in values.items() if v[i] is not None} for i in range(items)] == [
        dict(row) for row in shop.attributes
    ]
    assert set(values) == set(KINDS)


@pytest.mark.parametrize(("name", "tower"), [("user", USER_TOWER), ("item", ITEM_TOWER)])
def test_onnx_towers_give_the_planted_vectors(tmp_path: Path, name: str, tower: object) -> None:
    shop = plant(tmp_path)
    snapshot = open_snapshot(shop.path)
    features = {"user": shop.user_features, "item": shop.item_features}[name]
    wanted = {"user": shop.user_vectors, "item": shop.vectors}[name]
    session = onnxruntime.InferenceSession(snapshot.dense[tower_array(name)].tobytes())
    for one in (slice(0, 0), slice(0, 1), slice(None)):
        fed = feed(tower, encode(tower, features[one]), snapshot.tables)  # type: ignore[arg-type]
        np.testing.assert_allclose(session.run(None, fed)[0], wanted[one], atol=1e-6)


def test_another_version_is_the_first_turned(tmp_path: Path) -> None:
    one, two = plant(tmp_path), plant(tmp_path, version="two")
    np.testing.assert_allclose(one.vectors @ one.vectors.T, two.vectors @ two.vectors.T, atol=1e-5)
    assert np.abs(one.vectors - two.vectors).max() > 0.1
    drifted = plant(tmp_path, version="two", drift=0.2)
    products = drifted.user_vectors @ drifted.vectors.T
    assert np.abs(products - one.user_vectors @ one.vectors.T).max() > 0.01


def test_towers_of_several_interests_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tower = TinyTower.drawn({"a": 2, "b": 3}, DIM, rng, interests=3)
    session = onnxruntime.InferenceSession(tower.onnx())
    fed = {name: rng.standard_normal((5, w)).astype(np.float32) for name, w in tower.widths.items()}
    found = session.run(None, fed)[0]
    assert found.shape == (5, 3, DIM)
    np.testing.assert_allclose(found, tower(fed), atol=1e-6)


def test_the_adapter_gives_the_probabilities_that_it_says(tmp_path: Path) -> None:
    shop = plant(tmp_path, relevance=True)
    adapter = Adapter.of(arrays_under(open_snapshot(shop.path).dense, "items", "relevance"))
    scores = np.float32([[-0.5, 0.0, 0.25, 1.0]])
    wanted = 1 / (1 + np.exp(-(4 * np.maximum(scores, 0) - 2)))
    np.testing.assert_allclose(adapter.probability(shop.user_vectors[:1], scores), wanted, 1e-6)
