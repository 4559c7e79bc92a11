"""A real shop: bad input gets clear answers, never a server error, never an id that nobody has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.app import create_app
from serving.settings import Settings
from tests.retrieval_serving.planted import COUNTRIES, DIM, Planted, plant
from tests.serving.asking import Asker
from tests.serving.test_refusals import check_problem

SEARCH = "/v1/indexes/items/search"
UPSERT, DELETE = "/v1/indexes/items/items:upsert", "/v1/indexes/items/items:delete"
VECTOR = [1.0] * DIM
ONE = {"vector": VECTOR}


def asker_of(root: Path) -> Asker:
    return Asker(create_app(Settings(snapshot=root, shadow_share=0)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(tmp_path_factory.mktemp("shop"), items=30)


@pytest.fixture(scope="module")
def asker(shop: Planted) -> Iterator[Asker]:
    asker = asker_of(shop.root)
    yield asker
    asker.app.serving.end()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Asker]:
    asker = asker_of(plant(tmp_path, items=0).root)
    yield asker
    asker.app.serving.end()


FILTERS = {
    "an unknown field": ({"field": "prize", "lt": 5}, "did you mean 'price'"),
    "an unknown operator": ({"field": "price", "less": 5}, "filter asks 'price'"),
    "an operator of another kind": ({"field": "name", "gt": "A"}, "of kind str, for 'gt'"),
    "a value of another kind": ({"field": "price", "eq": "5"}, "filter.eq"),
    "a field without test": ({"field": "price"}, "needs an operator"),
    "an empty list": ({"field": "countries", "in": []}, "filter.in"),
    "an empty and": ({"and": []}, "filter.and"),
    "an empty filter": ({}, "filter must have one of"),
    "nothing known": ({"nand": [{"field": "price", "lt": 5}]}, "filter must have one of"),
    "two forms": ({"and": [], "or": []}, "alone"),
    "no filter inside": ({"not": 5}, "filter.not must be an object"),
    "a contradiction of bounds": (
        {"and": [{"field": "price", "gt": 10}, {"field": "price", "lt": 5}]},
        "price gt 10 and price lt 5",
    ),
    "a contradiction of values": (
        {"and": [{"field": "name", "eq": "A"}, {"field": "name", "eq": "B"}]},
        "contradicts itself",
    ),
    "a contradiction in one test": ({"field": "price", "gt": 10, "lt": 5}, "contradicts itself"),
    "too deep a filter": ({"not": {"not": {"not": {}}}}, "filter.not.not.not"),
}


@pytest.mark.parametrize(("where", "said"), FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_that_makes_no_sense_is_refused_with_what_would(
    asker: Asker, where: Any, said: str
) -> None:
    problem = check_problem(asker.post(SEARCH, {**ONE, "filter": where}), 422, "invalid_filter")
    assert said in problem["detail"]


@pytest.mark.parametrize("depth", [20, 150])
def test_a_filter_that_is_too_deep_is_refused(asker: Asker, depth: int) -> None:
    where: Any = {"field": "price", "lt": 5}
    for _ in range(depth):
        where = {"not": where}
    check_problem(asker.post(SEARCH, {**ONE, "filter": where}), 422, "invalid_filter")


@pytest.mark.parametrize("length", [1, DIM - 1, DIM + 1, 1000])
def test_vectors_of_another_length_are_refused_with_the_right_one(
    asker: Asker, length: int
) -> None:
    vector = [1.0] * length
    detail = check_problem(asker.post(SEARCH, {"vector": vector}), 422, "invalid_request")["detail"]
    assert str(DIM) in detail and str(length) in detail
    item = {"id": 1, "vector": vector}
    detail = check_problem(asker.post(UPSERT, {"items": [item]}), 422, "invalid_request")["detail"]
    assert str(DIM) in detail and str(length) in detail


def test_k_above_the_items_gives_all_of_them_and_none_twice(asker: Asker, shop: Planted) -> None:
    for body in (ONE, {"vectors": [VECTOR, [0.5] * DIM]}, {**ONE, "parameters": {"exact": True}}):
        answer = asker.post(SEARCH, {**body, "k": 1000}).json
        assert sorted(answer["ids"]) == sorted(shop.ids.tolist())
        assert len(answer["scores"]) == answer["searched"] == 30


def test_k_above_what_a_filter_leaves_gives_what_is_left(asker: Asker, shop: Planted) -> None:
    where = {"field": "countries", "eq": COUNTRIES[3]}
    fitting = [
        one
        for one, has in zip(shop.ids.tolist(), shop.attributes, strict=True)
        if COUNTRIES[3] in has.get("countries", ())
    ]
    answer = asker.post(SEARCH, {**ONE, "k": 29, "filter": where}).json
    assert sorted(answer["ids"]) == sorted(fitting) and answer["filtered"] == 30 - len(fitting)
    nothing = asker.post(SEARCH, {**ONE, "filter": {"field": "price", "gt": 1e300}}).json
    assert (nothing["ids"], nothing["scores"], nothing["filtered"]) == ([], [], 30)


WRONG_ATTRIBUTES = [
    ({"price": "3"}, "price"),
    ({"price": True}, "price"),
    ({"countries": "France"}, "countries"),
    ({"countries": ["France", 5]}, "countries"),
    ({"name": 5}, "name"),
    ({"last_sold": 1.5}, "last_sold"),
    ({"new": 1}, "new"),
    ({"prize": 3}, "did you mean 'price'"),
]


@pytest.mark.parametrize(("attributes", "said"), WRONG_ATTRIBUTES)
def test_attributes_of_another_kind_are_refused_and_nothing_is_written(
    asker: Asker, attributes: Any, said: str
) -> None:
    fine = {"id": 77, "vector": VECTOR}
    wrong = {"id": 78, "vector": VECTOR, "attributes": attributes}
    reply = asker.post(UPSERT, {"items": [fine, wrong]})
    assert said in check_problem(reply, 422, "invalid_attributes")["detail"]
    check_problem(asker.post(SEARCH, {"item": 77}), 404, "unknown_item")


def test_features_that_a_tower_does_not_know_are_refused(asker: Asker) -> None:
    reply = asker.post("/v1/recommend", {"features": {"custommer": 1}})
    assert "did you mean 'customer'" in check_problem(reply, 422, "invalid_features")["detail"]
    item = {"features": {"item": "TEAPOT", "pryce": 1}}
    reply = asker.post(UPSERT, {"items": [item]})
    assert "did you mean 'price'" in check_problem(reply, 422, "invalid_features")["detail"]
    reply = asker.post(UPSERT, {"items": [{"features": {"item": "TEAPOT", "price": "dear"}}]})
    assert "price" in check_problem(reply, 422, "invalid_features")["detail"]
    reply = asker.post(UPSERT, {"items": [{"id": 1, "features": {}}]})
    check_problem(reply, 422, "invalid_request")


def test_ids_that_nobody_has_are_unknown(asker: Asker) -> None:
    for body in ({"item": "no such item"}, {"item": -1}, {"decimal_item": "12"}):
        problem = check_problem(asker.post(SEARCH, body), 404, "unknown_item")
        assert str(*body.values()) in problem["detail"]
    check_problem(asker.post(SEARCH, {"user": 10**12}), 404, "unknown_user")
    check_problem(asker.post("/v1/recommend", {"user": "nobody"}), 404, "unknown_user")
    answer = asker.post(DELETE, {"ids": ["no such item", -1]}).json
    assert answer["missing"] == 2
    check_problem(asker.post("/v1/indexes/itmes/search", ONE), 404, "unknown_index")
    check_problem(asker.post("/v1/recommend", {"user": 1, "index": "x"}), 404, "unknown_index")
    reply = asker.post("/v1/indexes/items:activate", {"version": "items@1"})
    check_problem(reply, 404, "unknown_version")
    check_problem(asker.post("/v1/indexes/items:rollback", b""), 409, "no_previous_version")


def test_vectors_of_another_tower_are_refused(asker: Asker) -> None:
    reply = asker.post(SEARCH, {**ONE, "tower_version": "two"})
    check_problem(reply, 409, "version_mismatch")
    items = [{"id": 1, "vector": VECTOR}]
    reply = asker.post(UPSERT, {"items": items, "tower_version": "two"})
    check_problem(reply, 409, "version_mismatch")
    assert asker.post(SEARCH, {**ONE, "tower_version": "one"}).status == 200


def test_what_an_index_cannot_do_is_said(asker: Asker) -> None:
    reply = asker.post(SEARCH, {**ONE, "min_probability": 0.5})
    check_problem(reply, 422, "no_relevance")
    reply = asker.post("/v1/recommend", {"features": {}, "index": "similar"})
    check_problem(reply, 422, "no_tower")
    reply = asker.post(SEARCH, {"item": "RED MUG 0", "relation": "simlar"})
    assert "similar" in check_problem(reply, 422, "invalid_request")["detail"]
    reply = asker.post(SEARCH, {**ONE, "exclude_seen": True})
    check_problem(reply, 422, "invalid_request")
    reply = asker.post(SEARCH, {**ONE, "diversity": {"caps": {"color": 1}}})
    check_problem(reply, 422, "invalid_request")


def test_an_empty_index_answers_with_nothing_and_takes_items(empty: Asker) -> None:
    for body in (ONE, {"vectors": [VECTOR] * 2}, {**ONE, "parameters": {"exact": True}}):
        answer = empty.post(SEARCH, {**body, "with": ["vector", "attributes", "explain"]}).json
        assert (answer["ids"], answer["decimal_ids"], answer["scores"]) == ([], [], [])
        assert (answer["vectors"], answer["attributes"], answer["searched"]) == ([], [], 0)
    assert empty.post("/v1/recommend", {"features": {"customer": 1}}).json["ids"] == []
    assert empty.post("/v1/indexes/items:rebuild", b"").status == 202
    empty.post(UPSERT, {"items": [{"id": -1, "vector": VECTOR}]})
    assert empty.post(SEARCH, ONE).json["ids"] == [-1], "-1 is an id like any other"
    empty.post(DELETE, {"ids": [-1]})
    assert empty.post(SEARCH, ONE).json["ids"] == []


def test_an_item_by_its_features_is_found_at_once_and_deleted_for_good(
    asker: Asker, shop: Planted
) -> None:
    features = {"item": "VIOLET TEAPOT", "words": "RED MUG", "price": 2.5}
    item = {"features": features, "attributes": {"name": "VIOLET TEAPOT", "price": 2.5}}
    [one] = asker.post(UPSERT, {"items": [item]}).json["ids"]
    assert asker.post(SEARCH, {"item": "VIOLET TEAPOT"}).status == 200
    user = {"features": shop.user_features[0], "k": 300}
    found = asker.post("/v1/recommend", user).json
    assert found["names"][found["ids"].index(one)] == "VIOLET TEAPOT"
    cheap = {**user, "filter": {"field": "price", "eq": 2.5}}
    assert one in asker.post("/v1/recommend", cheap).json["ids"]
    assert asker.post(DELETE, {"ids": ["VIOLET TEAPOT"]}).json["missing"] == 0
    for body in (user, cheap):
        assert one not in asker.post("/v1/recommend", body).json["ids"]
    check_problem(asker.post(SEARCH, {"item": "VIOLET TEAPOT"}), 404, "unknown_item")
