"""What cannot be answered is refused by name; nothing comes back as an id that is none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.errors import AttributesError, FilterError, InputError
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import FeatureError
from serving.lookup import LookupService
from serving.retrieval import towers
from serving.retrieval.asked import (
    Ask,
    Diversity,
    Item,
    ItemWrite,
    User,
    UserFeatures,
    Vectors,
)
from serving.retrieval.errors import (
    AskError,
    NoRelevanceError,
    NoTowerError,
    UnknownIndexError,
    UnknownItemError,
    UnknownUserError,
)
from serving.retrieval.retriever import Retriever
from tests.retrieval_serving.planted import Planted, plant
from tests.retrieval_serving.retrieving import held, retrieving, rows_of

ONE = Vectors(np.ones((1, 8), np.float32))
FEATURES = UserFeatures({"customer": 3})
ASKS: dict[str, tuple[Any, type[Exception], str]] = {
    "no results": (Ask(ONE, "items", 0), AskError, "k must be between 1"),
    "too many results": (Ask(ONE, "items", 10**6), AskError, "k must be between 1"),
    "another width": (Ask(Vectors(np.ones((1, 7), np.float32)), "items"), AskError, "8 dim"),
    "no vector": (Ask(Vectors(np.ones((0, 8), np.float32)), "items"), AskError, "8 dim"),
    "a flat vector": (Ask(Vectors(np.ones(8, np.float32)), "items"), AskError, "8 dim"),
    "NaN": (Ask(Vectors(np.full((1, 8), np.nan, np.float32)), "items"), AskError, "NaN"),
    "beyond float32": (Ask(Vectors(np.full((1, 8), 1e39)), "items"), AskError, "finite"),
    "an unknown index": (Ask(ONE, "item"), UnknownIndexError, "did you mean 'items'"),
    "an unknown user": (Ask(User(999, "u999"), "items"), UnknownUserError, "'u999'"),
    "an unknown item": (Ask(Item(999, "i999"), "items"), UnknownItemError, "'i999'"),
    "an item of no basket": (
        Ask(Item(999), "items", relation="similar"), UnknownItemError, "'item_in'",
    ),
    "an unknown relation": (
        Ask(Item(1), "items", relation="complements"), AskError, "did you mean 'complementary'",
    ),
    "a relation of a user": (Ask(User(3), "items", relation="similar"), AskError, "by an item"),
    "users of an index of items": (Ask(User(3), "similar"), NoTowerError, "no users"),
    "features of an index of items": (Ask(FEATURES, "similar"), NoTowerError, "no user tower"),
    "an unknown feature": (
        Ask(UserFeatures({"custmer": 3}), "items"), FeatureError, "did you mean 'customer'",
    ),
    "a feature of another type": (
        Ask(UserFeatures({"customer": 3.5}), "items"), FeatureError, "customer",
    ),
    "seen by nobody": (Ask(ONE, "items", exclude_seen=True), AskError, "features"),
    "an unknown field": (
        Ask(ONE, "items", where={"field": "prize", "gt": 1}), FilterError, "price",
    ),
    "a contradiction": (
        Ask(ONE, "items", where={"field": "price", "gt": 9, "lt": 3}), FilterError, "price",
    ),
    "no relevance": (Ask(ONE, "items", min_probability=0.5), NoRelevanceError, "score_threshold"),
    "NaN as the least": (Ask(ONE, "items", score_threshold=np.nan), AskError, "finite"),
    "a pool below k": (
        Ask(ONE, "items", 10, diversity=Diversity(pool=9)), AskError, "pool",
    ),
    "a balance above 1": (Ask(ONE, "items", diversity=Diversity(1.5)), AskError, "lambda"),
    "a cap of none": (
        Ask(ONE, "items", diversity=Diversity(caps={"new": 0})), AskError, "at least 1",
    ),
    "a cap of an unknown attribute": (
        Ask(ONE, "items", diversity=Diversity(caps={"colour": 2})), AskError, "'colour'",
    ),
    "quotas that do not add up": (
        Ask(ONE, "items", 10, combine="quota", quotas=(9,)), AskError, "add up",
    ),
    "quotas of others": (
        Ask(ONE, "items", 10, combine="quota", quotas=(5, 5)), AskError, "1 quotas",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def retriever(service: LookupService) -> Iterator[Retriever]:
    with retrieving(service) as one:
        yield one


@pytest.mark.parametrize("name", ASKS)
def test_a_question_that_cannot_be_is_refused(name: str, retriever: Retriever) -> None:
    ask, error, sentence = ASKS[name]
    with pytest.raises(error, match=sentence):
        retriever.search(ask)
    with pytest.raises(error, match=f"^searches.1: .*{sentence}"):
        retriever.search_many([Ask(ONE, "items"), ask])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_of_which_no_vector_comes_are_refused(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    def fed(tower: Any, encoded: Any, tables: Any) -> Any:
        made = feed(tower, encoded, tables)
        return {name: np.full_like(values, value) for name, values in made.items()}

    monkeypatch.setattr(towers, "feed", fed)
    with pytest.raises(InputError, match="no finite vector"):
        retriever.search(Ask(FEATURES, "items"))
    with pytest.raises(InputError, match=r"items\.0: .*no finite vector"):
        retriever.upsert("items", [ItemWrite(1, features={"price": 1.0})])


def test_the_only_index_that_users_ask_needs_no_name(retriever: Retriever) -> None:
    assert retriever.search(Ask(FEATURES)).index == "items"


WRITES: dict[str, tuple[ItemWrite, type[Exception], str]] = {
    "neither": (ItemWrite(1), AskError, "neither"),
    "both": (ItemWrite(1, np.ones(8, np.float32), {"item": "A"}), AskError, "both"),
    "another width": (ItemWrite(1, np.ones(9, np.float32)), AskError, "8 finite"),
    "NaN": (ItemWrite(1, np.full(8, np.nan, np.float32)), AskError, "NaN"),
    "no id": (ItemWrite(None, np.ones(8, np.float32)), AskError, "an id"),
    "an id beyond int64": (ItemWrite(2**63, np.ones(8, np.float32)), AskError, "2\\^63"),
    "another's id": (ItemWrite(1, features={"item": "A"}), AskError, "leave the id out"),
    "no features": (ItemWrite(1, features={}), AskError, "at least one of the features"),
    "an unknown feature": (ItemWrite(1, features={"colour": "A"}), FeatureError, "'colour'"),
    "an unknown attribute": (
        ItemWrite(1, np.ones(8, np.float32), attributes={"colour": 1}), AttributesError, "'colour'",
    ),
    "an attribute of another type": (
        ItemWrite(1, np.ones(8, np.float32), attributes={"price": "9"}), AttributesError, "item 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_cannot_be_is_refused_whole(
    name: str, retriever: Retriever, shop: Planted
) -> None:
    write, error, sentence = WRITES[name]
    fine = ItemWrite(2, np.ones(8, np.float32))
    with pytest.raises(error, match=sentence) as refused:
        retriever.upsert("items", [fine, write])
    assert issubclass(error, AttributesError) or str(refused.value).startswith("items.1: ")
    assert held(retriever) == set(rows_of(shop))


def test_numbers_whose_products_overflow_are_refused_before_they_are_kept(
    service: LookupService,
) -> None:
    """`similar` compares by inner products; `items`, by the cosine, takes any finite number."""
    fine, large = (np.full(8, number, np.float32) for number in (1, 3e38))
    with retrieving(service) as one:
        writes = one.stats("similar").stats["write_number"]
        with pytest.raises(AskError, match=r"^items\.1: expected numbers within 1e\+15 of 0"):
            one.upsert("similar", [ItemWrite(1, fine), ItemWrite(2, large)])
        assert one.stats("similar").stats["write_number"] == writes
        one.upsert("items", [ItemWrite(2, large)])
        with pytest.raises(InputError, match="queries must lie within"):
            one.search(Ask(Vectors(large[None]), "similar"))


def test_features_for_an_index_of_vectors_are_refused(retriever: Retriever) -> None:
    with pytest.raises(NoTowerError, match="vectors instead"):
        retriever.upsert("similar", [ItemWrite(1, features={"item": "A"})])


def test_what_is_asked_beyond_what_there_is_gives_what_there_is(
    retriever: Retriever, shop: Planted, tmp_path: Path
) -> None:
    found = retriever.search(Ask(ONE, "items", 60_000))
    assert set(found.ids.tolist()) == set(shop.ids.tolist())
    empty = LookupService.open(plant(tmp_path, items=0).path)
    with retrieving(empty) as nothing:
        found = nothing.search(Ask(ONE, "items", 5, where={"field": "price", "gt": 1}))
        assert (len(found.ids), found.searched, found.exact) == (0, 0, True)
        assert len(nothing.recommend(Ask(FEATURES, k=5)).ids) == 0
        nothing.upsert("items", [ItemWrite(-1, np.ones(8, np.float32))])
        found = nothing.search(Ask(ONE, "items", 5))
        assert (found.ids.tolist(), found.searched) == ([-1], 1)
        nothing.delete("items", [-1, -1])
        assert len(nothing.search(Ask(ONE, "items", 5)).ids) == 0


def test_no_items_at_all_are_a_write_of_none(retriever: Retriever) -> None:
    assert retriever.upsert("items", []).ids == ()
    assert retriever.delete("items", []).missing == 0
    with pytest.raises(InputError, match="ids.1"):
        retriever.delete("items", [1, 2**63])
