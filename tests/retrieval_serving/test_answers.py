"""Answers equal what scoring every item gives, whatever is asked."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.hashing import hash_string
from recsys_embed.index.config import Parameters
from recsys_embed.index.view import View
from recsys_embed.snapshot import open_snapshot, write_snapshot
from serving.lookup import LookupService
from serving.retrieval.asked import Ask, Candidates, Item, User, UserFeatures, Vectors
from serving.retrieval.retriever import Retriever
from tests.reference.retrieval import best, scores
from tests.retrieval_serving.planted import COUNTRIES, DIM, Planted
from tests.retrieval_serving.retrieving import retrieving, rows_of
from tests.retrieval_serving.tiny_towers import TinyTower
from training.retrieval.export.bundle import Vectors as Trained
from training.retrieval.export.bundle import vector_table

FILTERS: list[tuple[Any, Any]] = [
    (None, lambda a: True),
    ({"field": "price", "gte": 2, "lt": 7}, lambda a: 2 <= a.get("price", -1) < 7),
    ({"field": "countries", "eq": "France"}, lambda a: "France" in a.get("countries", ())),
    (
        {"and": [{"field": "new", "eq": True}, {"not": {"field": "price", "lt": 3}}]},
        lambda a: a["new"] and not a.get("price", 99) < 3,
    ),
    ({"field": "price", "gt": 1000}, lambda a: False),
]
VALUES = st.floats(-3, 3, width=32).map(lambda x: round(x, 2))


@pytest.fixture(scope="module")
def retriever(service: LookupService) -> Iterator[Retriever]:
    with retrieving(service) as one:
        yield one


def assert_is(found: Candidates, expected: list[tuple[int, float]]) -> None:
    """The same scores in order, each item with its own; which of equals comes is left open."""
    assert len(found.ids) == len(expected) == len(set(found.ids.tolist()))
    np.testing.assert_allclose(found.scores, [score for _, score in expected], atol=2e-6)


@given(
    vectors=st.lists(st.lists(VALUES, min_size=8, max_size=8), min_size=1, max_size=4),
    k=st.integers(1, 250),
    chosen=st.sampled_from(range(len(FILTERS))),
    excluded=st.lists(st.integers(0, 199), max_size=20),
    least=st.none() | st.floats(-1, 1),
)
def test_search_finds_what_scoring_every_item_finds(
    retriever: Retriever,
    shop: Planted,
    vectors: list[list[float]],
    k: int,
    chosen: int,
    excluded: list[int],
    least: float | None,
) -> None:
    where, holds = FILTERS[chosen]
    queries, exclude = np.array(vectors, np.float32), shop.ids[np.array(excluded, np.int64)]
    ask = Ask(Vectors(queries), "items", k, where, exclude, score_threshold=least)
    found, rows = retriever.search(ask), rows_of(shop)
    kept = best(rows, queries, k, where=holds, exclude=exclude.tolist())
    expected = [one for one in kept if least is None or one[1] >= least]
    if least is None or all(abs(one[1] - least) > 1e-5 for one in kept):
        assert_is(found, expected)
        assert found.below == len(kept) - len(expected)
    own = scores(rows, queries, "cosine")
    for id, score in zip(found.ids.tolist(), found.scores, strict=True):
        assert abs(max(own[id]) - score) < 2e-6
        assert holds(rows[id][1])
        assert id not in exclude
    admitted = [1 for id, (_, a) in rows.items() if holds(a) and id not in exclude.tolist()]
    assert (found.searched, found.filtered) == (200, 200 - len(admitted))


@given(user=st.integers(0, 39), k=st.integers(1, 30), leave_out=st.booleans())
def test_features_and_ids_of_users_find_what_their_tower_points_at(
    retriever: Retriever, shop: Planted, user: int, k: int, leave_out: bool
) -> None:
    features = shop.user_features[user]
    seen = [hash_string(name) for name in features["history"]] if leave_out else []
    expected = best(rows_of(shop), shop.user_vectors[user : user + 1], k, exclude=seen)
    ask = Ask(UserFeatures(features), k=k, exclude_seen=leave_out)
    assert_is(retriever.recommend(ask), expected)
    if not leave_out:
        assert_is(retriever.search(Ask(User(user + 1), k=k)), expected)


def test_all_that_was_seen_is_left_out_not_only_what_the_tower_reads(
    retriever: Retriever, shop: Planted
) -> None:
    features = {"customer": 1, "history": shop.names[:30]}
    found = retriever.recommend(Ask(UserFeatures(features), k=200, exclude_seen=True))
    assert sorted(found.ids.tolist()) == sorted(shop.ids[30:].tolist())


def test_an_item_leads_to_others_but_not_to_itself(retriever: Retriever, shop: Planted) -> None:
    found = retriever.search(Ask(Item(int(shop.ids[7])), "items", k=10))
    expected = best(rows_of(shop), shop.vectors[7:8], 10, exclude=[int(shop.ids[7])])
    assert_is(found, expected)


@pytest.mark.parametrize("relation", ["similar", "complementary"])
def test_a_relation_leads_to_the_index_that_it_names(
    retriever: Retriever, service: LookupService, shop: Planted, relation: str
) -> None:
    found = retriever.search(Ask(Item(int(shop.ids[7])), "items", k=10, relation=relation))
    of = {"similar": "item_in", "complementary": "item_out"}[relation]
    query = service.table("item_in").lookup(shop.ids[7:8]).values
    values = service.table(of).lookup(shop.ids).values
    rows = {id: (value, {}) for id, value in zip(shop.ids.tolist(), values, strict=True)}
    expected = best(rows, query, 10, metric="inner_product", exclude=[int(shop.ids[7])])
    assert found.index == relation
    assert_is(found, expected)


@given(interests=st.integers(1, 4), k=st.integers(1, 60), seed=st.integers(0, 99))
def test_quotas_give_every_interest_its_items(
    retriever: Retriever, shop: Planted, interests: int, k: int, seed: int
) -> None:
    queries = np.random.default_rng(seed).standard_normal((interests, 8)).astype(np.float32)
    found = retriever.search(Ask(Vectors(queries), "items", k, combine="quota"))
    own, taken = scores(rows_of(shop), queries, "cosine"), list[int]()
    for at in range(interests):
        quota = k // interests + (at < k % interests)
        ranked = sorted(own, key=lambda id: -own[id][at])
        taken += [id for id in ranked if id not in taken][:quota]
    assert set(found.ids.tolist()) == set(taken)
    assert (np.diff(found.scores) <= 0).all()


def test_questions_of_a_batch_see_one_moment(
    service: LookupService, shop: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with retrieving(service) as writable:
        search = View.search

        def and_delete(view: View, *given: Any, **named: Any) -> Any:
            found = search(view, *given, **named)
            writable.delete("items", shop.ids[:50].tolist())
            return found

        monkeypatch.setattr(View, "search", and_delete)
        asks = [Ask(Vectors(shop.vectors[:1]), "items", k=200, where=one) for one, _ in FILTERS]
        assert [one.searched for one in writable.search_many(asks)] == [200] * len(FILTERS)
        assert writable.search(asks[0]).searched == 150


def test_a_user_is_asked_for_by_every_interest(shop: Planted, tmp_path: Path) -> None:
    rng, snapshot = np.random.default_rng(3), open_snapshot(shop.path)
    tower = TinyTower.drawn(shop.towers["user"].widths, DIM, rng, interests=3)
    vectors = rng.standard_normal((len(shop.users), 3 * DIM)).astype(np.float32)
    tables = {name: table.restore() for name, table in snapshot.tables.items()}
    tables["user_vector"] = vector_table("user_vector", Trained(shop.users, vectors))
    told = deepcopy(snapshot.extra)
    told["retrieval"]["towers"]["user"]["interests"] = 3
    dense = {**snapshot.dense, "towers/user.onnx": np.frombuffer(tower.onnx(), np.uint8)}
    path = write_snapshot(tmp_path, tables, dense=dense, extra=told)
    with retrieving(LookupService.open(path)) as several:
        for user, row in zip(shop.users[:5].tolist(), vectors, strict=False):
            found = several.recommend(Ask(User(user), k=20))
            assert_is(found, best(rows_of(shop), row.reshape(3, DIM), 20))
        assert len(several.recommend(Ask(UserFeatures({"customer": 1}), k=20)).ids) == 20


def test_what_is_wanted_comes_and_nothing_else(retriever: Retriever, shop: Planted) -> None:
    plain = retriever.search(Ask(User(3), k=5))
    assert (plain.vectors, plain.attributes, plain.explanations) == (None, None, None)
    full = frozenset({"vector", "attributes", "explain"})
    found = retriever.search(Ask(User(3), k=5, wanted=full))  # type: ignore[arg-type]
    places = [shop.ids.tolist().index(id) for id in found.ids.tolist()]
    assert found.names == plain.names == [shop.names[at] for at in places]
    assert found.attributes == [shop.attributes[at] for at in places]
    assert found.vectors is not None
    lengths = np.linalg.norm(shop.vectors[places], axis=1, keepdims=True)
    np.testing.assert_allclose(found.vectors, shop.vectors[places] / lengths, atol=1e-6)


def test_dimensions_explain_all_of_a_score(retriever: Retriever, shop: Planted) -> None:
    ask = Ask(Vectors(shop.user_vectors[4:6]), "items", 20, wanted=frozenset({"explain"}))
    found = retriever.search(ask)
    assert found.explanations is not None
    for score, parts in zip(found.scores, found.explanations, strict=True):
        assert abs(sum(part.amount for part in parts) - score) < 1e-5
        amounts = [abs(part.amount) for part in parts]
        assert amounts == sorted(amounts, reverse=True)


def test_inputs_explain_what_the_score_is_without_them(retriever: Retriever, shop: Planted) -> None:
    features = shop.user_features[5]
    ask = Ask(UserFeatures(features), k=5, wanted=frozenset({"explain"}))
    found = retriever.search(ask)
    assert found.explanations is not None
    for name in features:
        less = {key: value for key, value in features.items() if key != name}
        without = scores(rows_of(shop), shop.query(less)[None], "cosine")
        for id, score, parts in zip(
            found.ids.tolist(), found.scores, found.explanations, strict=True
        ):
            [part] = [part for part in parts if part.name == name]
            assert abs(part.amount - (score - without[id][0])) < 1e-5


def test_many_questions_are_answered_as_one_by_one(retriever: Retriever, shop: Planted) -> None:
    where = {"field": "countries", "in": [COUNTRIES[0]]}
    asks = [Ask(UserFeatures(features), k=7) for features in shop.user_features[:9]]
    asks += [Ask(Item(int(id)), "items", 3, where) for id in shop.ids[:3]]
    asks += [Ask(Vectors(shop.user_vectors[:at]), "items", 7, where) for at in (1, 3)]
    asks += [Ask(Vectors(shop.user_vectors[:2]), "similar", 7, parameters=Parameters(exact=True))]
    asks += [Ask(User(at), k=7, combine="quota", exclude=shop.ids[:at]) for at in (1, 2)]
    for one, other in zip(retriever.search_many(asks), map(retriever.search, asks), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
        assert (one.index, one.filtered, one.plan) == (other.index, other.filtered, other.plan)
    assert retriever.search_many([]) == []
