"""What training writes is what serving computes: the same inputs, vectors and answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys_embed.errors import InputError, RecsysEmbedError
from recsys_embed.index.attributes import Schema, values_of
from recsys_embed.retrieval.description import (
    IndexDescription,
    Retrieval,
    arrays_under,
    read,
    tower_array,
)
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import encode
from recsys_embed.retrieval.relevance import Adapter
from recsys_embed.snapshot import Snapshot, open_snapshot
from tests.retrieval_towers.making import COLOURS, PER_COLOUR, USERS_PER_COLOUR, name
from tests.retrieval_towers.trained import Trained
from training.retrieval.complementary import Dual
from training.retrieval.export import Bundle, ItemIndex, Vectors, write_retrieval
from training.retrieval.export.onnx_file import to_onnx
from training.retrieval.export.parity import check_parity, run_onnx
from training.retrieval.export.versions import version_of
from training.retrieval.towers.bundle import bundle_of
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.relevance import fit_relevance

ITEMS = len(COLOURS) * PER_COLOUR


@pytest.fixture(scope="module")
def written(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    rng = np.random.default_rng(0)
    dual = Dual(*rng.standard_normal((2, ITEMS, 4)).astype(np.float32))
    relevance = fit_relevance(trained.towers, trained.shop)
    assert relevance is not None
    bundle = bundle_of(
        trained.config, trained.shop, trained.towers,
        dual=dual, relevance=relevance.adapter.arrays(),
    )  # fmt: skip
    return open_snapshot(write_retrieval(tmp_path_factory.mktemp("written"), bundle))


@pytest.fixture(scope="module")
def told(written: Snapshot) -> Retrieval:
    found = read(written.extra)
    assert found is not None
    return found


CUSTOMERS = st.none() | st.sampled_from(
    [f"user {c} {u}" for c in range(len(COLOURS)) for u in range(USERS_PER_COLOUR)] + ["stranger"]
)
NAMES = st.sampled_from([name(c, i) for c in range(4) for i in range(PER_COLOUR)] + ["NEVER SOLD"])
USER = st.fixed_dictionaries(
    {"customer": CUSTOMERS, "history": st.none() | st.lists(NAMES, max_size=8)}
)
ITEM = st.fixed_dictionaries(
    {"item": st.none() | NAMES, "words": st.none() | NAMES | st.just(""), "price": st.none()
     | st.floats(0, 1e4, width=32)}
)  # fmt: skip
SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_parity(
    side: str, examples: list[dict[str, Any]], trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    """Torch over live tables beside ONNX over the snapshot's, fed as a server feeds it."""
    tower = told.towers[side]
    ours = getattr(trained.towers, side).vectors(Examples.of(tower, examples)).numpy()
    fed = feed(tower, encode(tower, examples), written.tables)
    theirs = run_onnx(written.dense[tower_array(side)].tobytes(), fed)
    assert ours.shape == theirs.shape == (len(examples), 8)
    assert np.abs(ours - theirs).max(initial=0) <= 1e-5


@SHARED
@given(examples=st.lists(USER, max_size=5))
def test_user_towers_agree(
    examples: list[dict[str, Any]], trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    assert_parity("user", examples, trained, written, told)


@SHARED
@given(examples=st.lists(ITEM, max_size=5))
def test_item_towers_agree(
    examples: list[dict[str, Any]], trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    assert_parity("item", examples, trained, written, told)


def test_vectors_of_items_are_the_towers_own(
    trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    shop, tower = trained.shop, told.towers["item"]
    features = [
        {"item": text, "words": text, "price": 1.0 + int(text.split("thing")[1])}
        for text in shop.catalogue.names
    ]
    fed = feed(tower, encode(tower, features), written.tables)
    wanted = run_onnx(written.dense[tower_array("item")].tobytes(), fed)
    held = written.tables["item_vector"].lookup(shop.catalogue.names, missing="error").values
    np.testing.assert_allclose(held, wanted, atol=1e-5)


def test_vectors_of_users_are_of_all_they_ever_bought(
    trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    lines, baskets = trained.shop.baskets.lines, trained.shop.baskets
    who = lines["who"].to_list()[-1]
    of_user = [b for b, other in enumerate(lines["who"].to_list()) if other == who]
    bought = [baskets.items.values[slice(*baskets.items.offsets[b : b + 2])] for b in of_user]
    names = [trained.shop.catalogue.names[i] for i in np.concatenate(bought)]
    tower = told.towers["user"]
    fed = feed(tower, encode(tower, [{"customer": who, "history": names}]), written.tables)
    wanted = run_onnx(written.dense[tower_array("user")].tobytes(), fed)
    held = written.tables["user_vector"].lookup([who], missing="error").values
    np.testing.assert_allclose(held, wanted, atol=1e-5)


def test_the_description_leads_to_all_there_is(written: Snapshot, told: Retrieval) -> None:
    items = told.indexes["items"]
    assert (items.seen, items.item, items.name) == ("history", "item", "name")
    assert {r: (one.queries, one.index) for r, one in items.relations.items()} == {
        "similar": ("item_in", "similar"), "complementary": ("item_in", "complementary"),
    }  # fmt: skip
    for index in told.indexes.values():
        assert written.tables[index.vectors].num_rows == ITEMS
        assert not written.tables[index.vectors].config.state_width
    values = values_of(arrays_under(written.dense, "items", "attributes"), Schema(items.attributes))  # type: ignore[arg-type]
    prices = dict(zip(values["name"], values["price"], strict=True))
    assert prices[name(0, 3)] == 4.0
    assert Adapter.of(arrays_under(written.dense, "items", "relevance")).recall[0] == 1.0
    assert written.dense["indexes/items/queries"].shape[1] == 8


def test_equal_towers_have_one_version_and_others_another(
    trained: Trained, written: Snapshot, told: Retrieval
) -> None:
    files = {name: written.dense[tower_array(name)].tobytes() for name in told.towers}
    towers = {name: (tower, files[name]) for name, tower in told.towers.items()}
    side = trained.towers.user
    again = to_onnx(side.network, side.tower, side.widths)
    assert version_of({**towers, "user": (side.tower, again)}) == told.tower_version
    other = again.replace(b"customer", b"cUstomer")
    assert version_of({**towers, "user": (side.tower, other)}) != told.tower_version
    wider = replace(side.tower, interests=2)
    assert version_of({**towers, "user": (wider, again)}) != told.tower_version


def test_a_file_that_is_not_its_tower_is_refused() -> None:
    ours = np.eye(3, dtype=np.float32)
    assert check_parity("user", ours, ours + np.float32(1e-6)) <= 2e-6
    for theirs in (ours + np.float32(1e-4), ours * np.float32("nan"), ours[:2]):
        with pytest.raises(RecsysEmbedError, match="'user'"):
            check_parity("user", ours, theirs)


def test_two_tables_of_one_name_are_refused(trained: Trained, tmp_path: Path) -> None:
    vectors = Vectors(np.arange(2), np.ones((2, 4), np.float32))
    index = ItemIndex(IndexDescription("item", "cosine"), vectors)
    bundle = Bundle(dict(trained.towers.tables.tables), {}, {"items": index})
    with pytest.raises(InputError, match="two tables are named 'item'"):
        write_retrieval(tmp_path, bundle)


@pytest.mark.parametrize("users", [None, "user_vector"])
def test_users_vectors_and_their_tables_name_come_together(
    users: str | None, tmp_path: Path
) -> None:
    vectors = Vectors(np.arange(2), np.ones((2, 4), np.float32))
    given = None if users else vectors
    index = ItemIndex(IndexDescription("item", "cosine", users=users), vectors, users=given)
    with pytest.raises(InputError, match="give both"):
        write_retrieval(tmp_path, Bundle({}, {}, {"items": index}))
