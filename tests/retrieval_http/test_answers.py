"""What retrieval answers arrives unchanged, beside the versions that it names."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys_embed.hashing import hash_string
from serving.retrieval.asked import Ask, Item, User, UserFeatures, Vectors
from serving.retrieval_http import metrics
from serving.tally import Tally
from tests.retrieval_http.conftest import Faked
from tests.retrieval_http.fakes import FOUND, INFO

SEARCH = "/v1/indexes/items/search"
BIG = 2**63 - 1


def asked(fake: Faked, target: str, body: Any) -> Ask:
    """What the retriever was asked for a request that is answered."""
    reply = fake.asker.post(target, body)
    assert reply.status == 200, reply.json
    return fake.retriever.calls[-1][1]


def test_candidates_arrive_bit_for_bit(fake: Faked) -> None:
    reply = fake.asker.post(SEARCH, {"vector": [1, 2]})
    answer = reply.json
    assert answer["ids"] == [BIG, -5] and answer["decimal_ids"] == [str(BIG), "-5"]
    assert np.array_equal(np.array(answer["scores"], np.float32), FOUND.scores)
    assert np.array_equal(np.array(answer["probabilities"], np.float32), FOUND.probabilities)
    assert answer["names"] == ["MUG", None]
    said = ("index", "index_version", "tower_version", "bridged", "exact", "searched", "filtered")
    assert {name: answer[name] for name in said} == {name: getattr(FOUND, name) for name in said}
    assert (answer["below"], answer["plan"], answer["query_version"]) == (4, "gather", "one")
    assert not answer.keys() & {"vectors", "attributes", "explanations"}, "nobody wanted them"


def test_an_answer_names_the_snapshot_it_was_read_from(fake: Faked) -> None:
    reply = fake.asker.post("/v1/recommend", {"user": 1})
    assert reply.headers["x-snapshot-version"] == reply.json["snapshot_version"] == "a snapshot:8"


def test_what_is_wanted_stands_beside_each_candidate(fake: Faked) -> None:
    body = {"vector": [1, 2], "with": ["vector", "attributes", "explain"]}
    answer = fake.asker.post(SEARCH, body).json
    expected = np.array([[1, 2], [0.1, -1e-40]], np.float32)
    assert np.array_equal(np.array(answer["vectors"], np.float32), expected)
    assert answer["attributes"] == [{"price": 2.5, "tags": ["a", "b"]}, {}]
    assert answer["explanations"] == [[{"kind": "input", "name": "price", "amount": 0.5}], []]


WAYS = {
    "a vector": ({"vector": [0.1, 1e-45]}, Vectors(np.array([[0.1, 1e-45]], np.float32))),
    "vectors": (
        {"vectors": [[1, 2], [3, 4]], "tower_version": "two"},
        Vectors(np.array([[1, 2], [3, 4]], np.float32), "two"),
    ),
    "a user": ({"user": -5}, User(-5, -5)),
    "a user by name": ({"user": "ann"}, User(hash_string("ann"), "ann")),
    "a user by digits": ({"decimal_user": str(BIG)}, User(BIG, str(BIG))),
    "an item": ({"item": "85123A"}, Item(hash_string("85123A"), "85123A")),
    "an item by digits": ({"decimal_item": "-7"}, Item(-7, "-7")),
}


@pytest.mark.parametrize(("body", "by"), WAYS.values(), ids=WAYS.keys())
def test_each_way_of_asking_reaches_the_retriever(fake: Faked, body: Any, by: Any) -> None:
    found = asked(fake, SEARCH, body).by
    if isinstance(by, Vectors):
        assert np.array_equal(found.values, by.values) and found.values.dtype == np.float32
        assert found.tower_version == by.tower_version
    else:
        assert found == by


def test_options_reach_the_retriever(fake: Faked) -> None:
    where = {"and": [{"field": "price", "lt": 5}, {"not": {"field": "tags", "in": ["a"]}}]}
    body = {
        "item": 1, "k": 50, "filter": where, "exclude": [4, "b"], "decimal_exclude": ["-6"],
        "exclude_seen": True, "score_threshold": 0.25, "min_probability": 0.5, "combine": "quota",
        "quotas": [3, 0], "relation": "similar", "with": ["vector", "vector"],
        "diversity": {"lambda": 0.5, "pool": 50, "caps": {"price": 2}},
        "parameters": {"exact": True, "nprobe": 4, "ef": 5, "rerank": 1.5},
    }  # fmt: skip
    ask = asked(fake, SEARCH, body)
    assert (ask.index, ask.k, ask.where, ask.relation) == ("items", 50, where, "similar")
    assert ask.exclude.tolist() == [4, hash_string("b"), -6] and ask.exclude.dtype == np.int64
    assert (ask.exclude_seen, ask.score_threshold, ask.min_probability) == (True, 0.25, 0.5)
    assert (ask.combine, ask.quotas, ask.wanted) == ("quota", [3, 0], {"vector"})
    assert ask.diversity is not None
    assert (ask.diversity.balance, ask.diversity.pool) == (0.5, 50)
    assert ask.diversity.caps == {"price": 2}
    assert (ask.parameters.exact, ask.parameters.nprobe) == (True, 4)
    assert (ask.parameters.ef, ask.parameters.rerank) == (5, 1.5)


def test_what_is_left_out_is_left_to_the_retriever(fake: Faked) -> None:
    ask = asked(fake, "/v1/recommend", {"features": {}})
    assert (ask.index, ask.where, ask.relation, ask.k) == (None, None, None, 10)
    assert (ask.score_threshold, ask.min_probability, ask.diversity) == (None, None, None)
    assert ask.exclude.size == 0 and ask.wanted == frozenset()


def test_features_reach_the_retriever_as_they_are(fake: Faked) -> None:
    features = {"customer": 17850, "history": ["85123A", 7], "price": 2.5, "text": "caf\u00e9"}
    body = {"features": features, "index": "items"}
    assert asked(fake, "/v1/recommend", body).by == UserFeatures(features)


def test_a_batch_is_one_call_and_keeps_its_order(fake: Faked) -> None:
    searches = [{"vector": [1, 2]}, {"user": 3}, {"vectors": [[1, 2]], "tower_version": "two"}]
    reply = fake.asker.post(f"{SEARCH}:batch", {"searches": searches})
    assert [one["query_version"] for one in reply.json["answers"]] == ["one", "one", "two"]
    assert reply.json["snapshot_version"] == reply.headers["x-snapshot-version"]
    [(name, asks)] = fake.retriever.calls
    assert name == "search_many" and asks[1].by == User(3, 3)


def test_items_reach_the_retriever_and_come_back_by_id(fake: Faked) -> None:
    items = [
        {"id": "90214A", "vector": [0.1, 2], "attributes": {"price": 3, "tags": ["a"]}},
        {"decimal_id": str(BIG), "features": {"text": "MUG"}},
        {"features": {"text": "MUG"}, "attributes": {}},
    ]
    reply = fake.asker.post(
        "/v1/indexes/items/items:upsert", {"items": items, "tower_version": "t"}
    )
    [(name, index, writes, version)] = fake.retriever.calls
    assert (name, index, version) == ("upsert", "items", "t")
    assert [one.id for one in writes] == [hash_string("90214A"), BIG, None]
    assert np.array_equal(writes[0].vector, np.array([0.1, 2], np.float32))
    assert (writes[0].features, writes[0].attributes) == (None, items[0]["attributes"])
    assert (writes[1].vector, writes[1].features) == (None, {"text": "MUG"})
    assert (writes[1].attributes, writes[2].attributes) == (None, {}), "kept, and removed"
    assert reply.json["decimal_ids"] == [str(hash_string("90214A")), str(BIG), "99"]
    assert (reply.json["durable"], reply.json["entry"]) == (True, 12)


def test_a_deletion_says_how_many_were_not_there(fake: Faked) -> None:
    reply = fake.asker.post("/v1/indexes/items/items:delete", {"ids": [5, "a"]})
    assert fake.retriever.calls == [("delete", "items", [5, hash_string("a")])]
    assert (reply.json["missing"], reply.json["durable"], reply.json["entry"]) == (1, False, None)
    fake.asker.post("/v1/indexes/items/items:delete", {"decimal_ids": ["-5"]})
    assert fake.retriever.calls[-1] == ("delete", "items", [-5])


def test_indexes_tell_how_they_stand(fake: Faked) -> None:
    [listed] = fake.asker.get("/v1/indexes").json["indexes"]
    told = fake.asker.get("/v1/indexes/items").json
    assert told == {**listed, "snapshot_version": told["snapshot_version"]}
    assert (told["version"], told["dim"], told["recall"]) == ("items@7.1", 2, 0.75)
    assert told["versions"][0]["state"] == "active" and told["stats"]["dead"] == 2


def test_a_server_tells_its_indexes_and_limits(fake: Faked) -> None:
    told = fake.asker.get("/v1/info").json
    limits = {name: told[name] for name in ("max_k", "max_queries", "max_items", "read_only")}
    assert limits == {"max_k": 50, "max_queries": 3, "max_items": 4, "read_only": False}
    assert told["indexes"] == ["items"]


def test_towers_that_cannot_serve_degrade_a_server_that_goes_on(fake: Faked) -> None:
    assert fake.asker.get("/readyz").json["status"] == "ready"
    fake.retriever.refused = "towers of another width"
    told = fake.asker.get("/readyz")
    assert told.status == 200
    assert (told.json["status"], told.json["reason"]) == ("degraded", "towers of another width")


@pytest.mark.parametrize("body", [b"", {}])
def test_versions_are_built_and_put_into_service(fake: Faked, body: Any) -> None:
    begun = fake.asker.post("/v1/indexes/items:rebuild", body)
    assert (begun.status, begun.json["version"]) == (202, "items@7.2")
    assert begun.json["state"] == "building"
    reply = fake.asker.post("/v1/indexes/items:activate", {"version": "items@7.2"})
    assert reply.json["version"] == "items@7.1", "as the retriever says"
    assert fake.asker.post("/v1/indexes/items:rollback", body).status == 200
    names = [call[0] for call in fake.retriever.calls]
    assert names == ["rebuild", "activate", "rollback"]


def test_a_scrape_says_how_indexes_stand_and_what_was_searched(fake: Faked) -> None:
    for _ in range(3):
        fake.asker.post(SEARCH, {"vector": [1, 2]})
    samples = dict(
        line.rsplit(" ", 1)
        for line in fake.asker.get("/metrics").body.decode().splitlines()
        if not line.startswith("#")
    )
    told = {
        'recsys_search_total{index="items",plan="gather"}': 3,
        'recsys_search_candidates_total{index="items"}': 6,
        'recsys_search_filtered_total{index="items"}': 3,
        'recsys_search_below_total{index="items"}': 12,
        'recsys_tower_seconds_count{index="items"}': 3,
        'recsys_search_seconds_bucket{index="items",le="0.05"}': 3,
        'recsys_search_seconds_bucket{index="items",le="0.025"}': 0,
        'recsys_index_items{index="items"}': 3,
        'recsys_index_fresh{index="items"}': 1,
        'recsys_index_dead{index="items"}': 2,
        'recsys_index_unfit{index="items"}': 6,
        'recsys_index_folds_total{index="items"}': 4,
        'recsys_index_rebuilds_total{index="items"}': 5,
        'recsys_index_recall{index="items"}': 0.75,
        'recsys_index_recall_queries{index="items"}': 8,
        'recsys_index_version{index="items",version="items@7.1"}': 1,
        'recsys_request_total{route="/v1/indexes/{index}/search",status="200"}': 3,
    }
    assert {name: float(samples[name]) for name in told} == told


def test_the_recall_of_a_version_before_is_not_told_of_the_next() -> None:
    begun = replace(INFO, version="items@7.2", recall=None, recall_queries=0)
    tally = Tally()
    metrics.note(tally, [INFO])
    metrics.note(tally, [begun])
    told = {one.name: one for one in metrics.collect(tally.rows, [begun])}
    assert not told["recsys_index_recall"].samples
    assert [one.value for one in told["recsys_index_recall_queries"].samples] == [0]


def test_searches_are_counted_by_plans_of_which_there_are_few() -> None:
    tally = Tally()
    for plan in ("exact", "gather", "ivf", "hnsw", *(f"made up {n}" for n in range(9))):
        metrics.count(tally, [replace(FOUND, plan=plan)], (1.0,))
    counted = {key[2]: row[0] for key, row in tally.rows.items() if key[0] == "recsys_search"}
    assert counted == {"exact": 1, "gather": 1, "ivf": 1, "hnsw": 1, "other": 9}
