"""What cannot be asked of an index is refused by name and place; nothing is a server error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import (
    AttributesError,
    DeltaLogError,
    FilterError,
    InputError,
    LogUnavailableError,
)
from recsys_embed.retrieval.inputs import FeatureError
from serving.app import create_app
from serving.retrieval import errors
from serving.settings import Settings
from tests.retrieval_http.conftest import LIMITS, Faked, faked
from tests.serving.asking import RAW, Asker
from tests.serving.test_refusals import JSON_VALUES, MALFORMED, check_problem

SEARCH, BATCH = "/v1/indexes/items/search", "/v1/indexes/items/search:batch"
UPSERT, DELETE = "/v1/indexes/items/items:upsert", "/v1/indexes/items/items:delete"
RECOMMEND, ACTIVATE = "/v1/recommend", "/v1/indexes/items:activate"
REBUILD, ROLLBACK = "/v1/indexes/items:rebuild", "/v1/indexes/items:rollback"
POSTED = (RECOMMEND, SEARCH, BATCH, UPSERT, DELETE, ACTIVATE, REBUILD, ROLLBACK)
WRITES = (UPSERT, DELETE, ACTIVATE, REBUILD, ROLLBACK)
ONE = {"vector": [1, 2]}

SEARCHES = {
    "no way of asking": ({}, "body"),
    "two ways of asking": ({"vector": [1, 2], "user": 1}, "body"),
    "a user twice": ({"user": 1, "decimal_user": "1"}, "body"),
    "a list": ([1], "body"),
    "null": (None, "body"),
    "k of 0": ({**ONE, "k": 0}, "k"),
    "k of -1": ({**ONE, "k": -1}, "k"),
    "k of true": ({**ONE, "k": True}, "k"),
    "k of 1.0": ({**ONE, "k": 1.0}, "k"),
    "k above max_k": ({**ONE, "k": 51}, "k"),
    "k of 2^70": ({**ONE, "k": 2**70}, "k"),
    "a vector of nothing": ({"vector": []}, "vector"),
    "a vector of NaN": (b'{"vector": [NaN, 1]}', "vector.0"),
    "a vector of Infinity": (b'{"vector": [1, -Infinity]}', "vector.1"),
    "a vector beyond float64": (b'{"vector": [1e400]}', "vector.0"),
    "a vector beyond float32": ({"vector": [1, 1e39]}, "vector.1"),
    "a vector of texts": ({"vector": ["1"]}, "vector.0"),
    "a vector of booleans": ({"vector": [True]}, "vector.0"),
    "a vector of null": ({"vector": [None]}, "vector.0"),
    "vectors of nothing": ({"vectors": []}, "vectors"),
    "vectors of two lengths": ({"vectors": [[1], [1, 2]]}, "vectors"),
    "a user of 2^63": ({"user": 2**63}, "user"),
    "a user of 2^70": ({"user": 2**70}, "user"),
    "a user of 1.0": ({"user": 1.0}, "user"),
    "a user of true": ({"user": True}, "user"),
    "a user of null": ({"user": None}, "user"),
    "a user with NUL": ({"user": "a\0b"}, "user"),
    "a decimal user above int64": ({"decimal_user": "9223372036854775808"}, "decimal_user"),
    "a decimal item with a point": ({"decimal_item": "1.0"}, "decimal_item"),
    "an item of a list": ({"item": [1]}, "item"),
    "a tower version without a vector": ({"user": 1, "tower_version": "a"}, "tower_version"),
    "a tower version of a number": ({**ONE, "tower_version": 1}, "tower_version"),
    "a relation without an item": ({**ONE, "relation": "similar"}, "relation"),
    "an excluded id of 2^63": ({**ONE, "exclude": [1, 2**63]}, "exclude.1"),
    "an excluded id of null": ({**ONE, "exclude": [None]}, "exclude.0"),
    "an excluded decimal out of range": (
        {**ONE, "decimal_exclude": ["1", "-9223372036854775809"]},
        "decimal_exclude.1",
    ),
    "a threshold of NaN": (b'{"vector": [1], "score_threshold": NaN}', "score_threshold"),
    "a threshold beyond float32": ({**ONE, "score_threshold": 1e39}, "score_threshold"),
    "a threshold of text": ({**ONE, "score_threshold": "0"}, "score_threshold"),
    "a probability of 1.5": ({**ONE, "min_probability": 1.5}, "min_probability"),
    "a probability of NaN": (b'{"vector": [1], "min_probability": NaN}', "min_probability"),
    "an unknown field": ({**ONE, "fliter": {}}, "fliter"),
    "an unknown wish": ({**ONE, "with": ["vectors"]}, "with.0"),
    "a wish of one text": ({**ONE, "with": "vector"}, "with"),
    "an unknown way to combine": ({**ONE, "combine": "mean"}, "combine"),
    "quotas without combine": ({**ONE, "quotas": [1]}, "quotas"),
    "quotas below 0": ({**ONE, "combine": "quota", "quotas": [-1]}, "quotas.0"),
    "a lambda of 2": ({**ONE, "diversity": {"lambda": 2}}, "diversity.lambda"),
    "a lambda by its other name": ({**ONE, "diversity": {"balance": 1}}, "diversity.balance"),
    "a pool below k": ({**ONE, "k": 9, "diversity": {"pool": 8}}, "diversity.pool"),
    "a pool above max_k": ({**ONE, "diversity": {"pool": 51}}, "diversity.pool"),
    "a cap of 0": ({**ONE, "diversity": {"caps": {"a": 0}}}, "diversity.caps.a"),
    "nprobe of 0": ({**ONE, "parameters": {"nprobe": 0}}, "parameters.nprobe"),
    "rerank below 1": ({**ONE, "parameters": {"rerank": 0.5}}, "parameters.rerank"),
    "exact of 1": ({**ONE, "parameters": {"exact": 1}}, "parameters.exact"),
    "an unknown parameter": ({**ONE, "parameters": {"efSearch": 9}}, "parameters.efSearch"),
    "a filter of a list": ({**ONE, "filter": []}, "filter"),
    "a filter of text": ({**ONE, "filter": "price < 5"}, "filter"),
    "a filter of NaN": (b'{"vector": [1], "filter": {"field": "p", "lt": NaN}}', "filter"),
    "a filter beyond float64": (
        b'{"vector": [1], "filter": {"field": "p", "lt": 1e999}}',
        "filter",
    ),
    "a filter of 2^70": ({**ONE, "filter": {"not": {"field": "p", "in": [2**70]}}}, "filter"),
    "a filter with NUL": ({**ONE, "filter": {"field": "p", "eq": "\0"}}, "filter"),
    "a filter's name with NUL": ({**ONE, "filter": {"\0": 1}}, "filter"),
}


@pytest.mark.parametrize(("body", "where"), SEARCHES.values(), ids=SEARCHES.keys())
def test_a_search_that_does_not_fit_is_refused_by_place(fake: Faked, body: Any, where: str) -> None:
    problem = check_problem(fake.asker.post(SEARCH, body), 422, "invalid_request")
    assert problem["errors"][0]["where"] == where
    assert problem["errors"][0]["what"] and not fake.retriever.calls


@pytest.mark.parametrize(
    ("body", "where"),
    [pair for pair in SEARCHES.values() if isinstance(pair[0], dict)],
    ids=[name for name, pair in SEARCHES.items() if isinstance(pair[0], dict)],
)
def test_a_batch_names_the_search_that_does_not_fit(fake: Faked, body: Any, where: str) -> None:
    reply = fake.asker.post(BATCH, {"searches": [ONE, body]})
    problem = check_problem(reply, 422, "invalid_request")
    place = "searches.1" if where == "body" else f"searches.1.{where}"
    assert problem["errors"][0]["where"] == place


FEATURES = {
    "neither features nor a user": ({}, "body"),
    "features and a user": ({"features": {}, "user": 1}, "body"),
    "a vector": ({"vector": [1]}, "vector"),
    "features of a list": ({"features": [1]}, "features"),
    "features of null": ({"features": None}, "features"),
    "a feature of NaN": (b'{"features": {"price": NaN}}', "features.price"),
    "a feature of 2^70": ({"features": {"customer": 2**70}}, "features.customer"),
    "a feature with NUL": ({"features": {"history": ["a\0"]}}, "features.history"),
    "an index of a number": ({"user": 1, "index": 5}, "index"),
}


@pytest.mark.parametrize(("body", "where"), FEATURES.values(), ids=FEATURES.keys())
def test_a_recommendation_that_does_not_fit_is_refused_by_place(
    fake: Faked, body: Any, where: str
) -> None:
    problem = check_problem(fake.asker.post(RECOMMEND, body), 422, "invalid_request")
    assert problem["errors"][0]["where"] == where


ITEMS = {
    "neither vector nor features": ({"id": 1}, "items.0"),
    "no features": ({"id": 1, "features": {}}, "items.0.features"),
    "vector and features": ({"id": 1, "vector": [1], "features": {"a": 1}}, "items.0"),
    "a vector without id": ({"vector": [1]}, "items.0"),
    "two ids": ({"id": 1, "decimal_id": "1", "features": {"a": 1}}, "items.0"),
    "an id of 2^70": ({"id": 2**70, "vector": [1]}, "items.0.id"),
    "an id of 1.0": ({"id": 1.0, "vector": [1]}, "items.0.id"),
    "an id with NUL": ({"id": "\0", "vector": [1]}, "items.0.id"),
    "a decimal id above int64": (
        {"decimal_id": "9223372036854775808", "vector": [1]},
        "items.0.decimal_id",
    ),
    "a vector of NaN": (b'{"items": [{"id": 1, "vector": [NaN]}]}', "items.0.vector.0"),
    "a vector beyond float32": ({"id": 1, "vector": [-1e39]}, "items.0.vector.0"),
    "attributes of a list": ({"id": 1, "vector": [1], "attributes": []}, "items.0.attributes"),
    "an attribute of NaN": (
        b'{"items": [{"id": 1, "vector": [1], "attributes": {"price": NaN}}]}',
        "items.0.attributes.price",
    ),
    "an attribute of 2^70": (
        {"id": 1, "vector": [1], "attributes": {"price": 2**70}},
        "items.0.attributes.price",
    ),
    "an attribute with NUL": (
        {"id": 1, "vector": [1], "attributes": {"tags": ["a", "\0"]}},
        "items.0.attributes.tags",
    ),
    "an unknown field": ({"id": 1, "vector": [1], "price": 3}, "items.0.price"),
    "an item of null": (None, "items.0"),
    "no items": (b'{"items": []}', "items"),
}


@pytest.mark.parametrize(("item", "where"), ITEMS.values(), ids=ITEMS.keys())
def test_an_item_that_does_not_fit_is_refused_by_place(fake: Faked, item: Any, where: str) -> None:
    body = item if isinstance(item, bytes) else {"items": [item]}
    problem = check_problem(fake.asker.post(UPSERT, body), 422, "invalid_request")
    assert problem["errors"][0]["where"] == where
    assert not fake.retriever.calls, "nothing is written of a request that is refused"


OTHERS = [
    (DELETE, {}, "body"),
    (DELETE, {"ids": [1], "decimal_ids": ["1"]}, "body"),
    (DELETE, {"ids": []}, "ids"),
    (DELETE, {"ids": [1, 2**63]}, "ids.1"),
    (DELETE, {"ids": ["\0"]}, "ids.0"),
    (DELETE, {"decimal_ids": ["1", "9223372036854775808"]}, "decimal_ids.1"),
    (ACTIVATE, {}, "version"),
    (ACTIVATE, {"version": 7}, "version"),
    (ACTIVATE, b"", None),
    (REBUILD, {"kind": "ivf"}, "kind"),
    (ROLLBACK, {"version": "a"}, "version"),
    (BATCH, {"searches": []}, "searches"),
    (BATCH, {}, "searches"),
]


@pytest.mark.parametrize(("target", "body", "where"), OTHERS)
def test_other_requests_that_do_not_fit_are_refused_by_place(
    fake: Faked, target: str, body: Any, where: str | None
) -> None:
    reply = fake.asker.post(target, body)
    if where is None:
        check_problem(reply, 400, "malformed_body")
    else:
        problem = check_problem(reply, 422, "invalid_request")
        assert problem["errors"][0]["where"] == where


RAISED = [
    (errors.UnknownIndexError, 404, "unknown_index"),
    (errors.UnknownItemError, 404, "unknown_item"),
    (errors.UnknownUserError, 404, "unknown_user"),
    (errors.UnknownVersionError, 404, "unknown_version"),
    (errors.VersionMismatchError, 409, "version_mismatch"),
    (errors.NotDurableError, 409, "not_durable"),
    (errors.BuildingError, 409, "already_building"),
    (errors.NothingToRollBackError, 409, "no_previous_version"),
    (errors.AskError, 422, "invalid_request"),
    (errors.NoRelevanceError, 422, "no_relevance"),
    (errors.NoTowerError, 422, "no_tower"),
    (FilterError, 422, "invalid_filter"),
    (AttributesError, 422, "invalid_attributes"),
    (FeatureError, 422, "invalid_features"),
    (InputError, 422, "invalid_request"),
    (LogUnavailableError, 503, "log_unavailable"),
    (DeltaLogError, 503, "log_unavailable"),
]


@pytest.mark.parametrize(("error", "status", "code"), RAISED)
def test_what_the_retriever_refuses_keeps_its_sentence_and_gets_its_code(
    fake: Faked, error: type[Exception], status: int, code: str
) -> None:
    fake.retriever.error = error("the sentence of the retriever")
    bodies = {SEARCH: ONE, BATCH: {"searches": [ONE]}, RECOMMEND: {"user": 1}, REBUILD: b""}
    bodies |= {UPSERT: {"items": [{"id": 1, "vector": [1]}]}, DELETE: {"ids": [1]}}
    bodies |= {ACTIVATE: {"version": "a"}, ROLLBACK: {}}
    for target, body in bodies.items():
        reply = fake.asker.post(target, body)
        problem = check_problem(reply, status, code)
        assert problem["detail"] == "the sentence of the retriever"
        assert (reply.headers.get("retry-after") == "1") == (status == 503)
    if status == 404:
        check_problem(fake.asker.get("/v1/indexes/items"), status, code)


def test_a_filter_is_called_by_its_name_in_the_request(fake: Faked) -> None:
    fake.retriever.error = FilterError("where.and[1] asks for field 'prize', which items lack")
    detail = check_problem(fake.asker.post(SEARCH, ONE), 422, "invalid_filter")["detail"]
    assert detail == "filter.and[1] asks for field 'prize', which items lack"
    fake.retriever.error = FilterError("searches.3: where must be an object")
    reply = fake.asker.post(BATCH, {"searches": [ONE]})
    detail = check_problem(reply, 422, "invalid_filter")["detail"]
    assert detail == "searches.3: filter must be an object"
    fake.retriever.error = FilterError("nothing: price gt 2 and lt 1; see where")
    detail = check_problem(fake.asker.post(SEARCH, ONE), 422, "invalid_filter")["detail"]
    assert detail == "nothing: price gt 2 and lt 1; see where"


def test_an_index_that_is_not_there_is_unknown(fake: Faked) -> None:
    check_problem(fake.asker.post("/v1/indexes/itmes/search", ONE), 404, "unknown_index")
    check_problem(fake.asker.get("/v1/indexes/itmes"), 404, "unknown_index")


@pytest.mark.parametrize("name", ["a/b", "a:b", "items:", ":rebuild"])
def test_a_name_that_no_index_has_is_no_route(fake: Faked, name: str) -> None:
    check_problem(fake.asker.get(f"/v1/indexes/{name}"), 404, "not_found")


def test_limits_hold_exactly(fake: Faked) -> None:
    limits = [
        (BATCH, "searches", ONE, 3),
        (SEARCH, "vectors", [1, 2], 3),
        (UPSERT, "items", {"id": 1, "vector": [1]}, 4),
        (DELETE, "ids", 5, 4),
        (DELETE, "decimal_ids", "5", 4),
    ]
    for target, field, one, most in limits:
        assert fake.asker.post(target, {field: [one] * most}).status == 200
        problem = check_problem(
            fake.asker.post(target, {field: [one] * (most + 1)}), 413, "too_many"
        )
        assert str(most) in problem["detail"] and str(most + 1) in problem["detail"]
    assert fake.asker.post(SEARCH, {**ONE, "k": 50}).status == 200


def test_bodies_are_held_to_their_bytes(fake: Faked) -> None:
    body = b'{"vector": [' + b"1," * LIMITS.max_body_bytes + b"1]}"
    for target in POSTED:
        check_problem(fake.asker.post(target, body), 413, "body_too_large")


@pytest.mark.parametrize("target", POSTED)
def test_bodies_are_json(fake: Faked, target: str) -> None:
    for content_type in (None, "text/plain", RAW):
        reply = fake.asker.post(target, b"{}", content_type=content_type)
        check_problem(reply, 415, "unsupported_content")
    for name, body in MALFORMED.items():
        if name != "nothing":
            check_problem(fake.asker.post(target, body), 400, "malformed_body")
    check_problem(fake.asker.post(target, {}, accept="text/html"), 406, "not_acceptable")


def test_queries_in_the_url_are_refused(fake: Faked) -> None:
    for target in POSTED:
        check_problem(fake.asker.post(f"{target}?k=5", {}), 422, "invalid_request")


def test_a_server_that_only_reads_refuses_writes_alone() -> None:
    made = faked(LIMITS.model_copy(update={"read_only": True}))
    for target in WRITES:
        check_problem(made.asker.post(target, {}), 403, "read_only")
    assert made.asker.post(SEARCH, ONE).status == 200
    assert made.asker.get("/v1/indexes").status == 200
    made.retriever.close()


def test_a_snapshot_without_indexes_lists_none_and_knows_none(settings: Settings) -> None:
    asker = Asker(create_app(settings))
    assert asker.get("/v1/indexes").json["indexes"] == []
    for target in POSTED:
        detail = check_problem(asker.post(target, {}), 404, "unknown_index")["detail"]
        assert "holds no index" in detail
    check_problem(asker.get("/v1/indexes/items"), 404, "unknown_index")


def test_before_a_snapshot_is_loaded_searches_are_put_off(settings: Settings) -> None:
    unready = Asker(create_app(settings), start=False)
    for target in POSTED:
        check_problem(unready.post(target, {}), 503, "not_ready")
    for target in ("/v1/indexes", "/v1/indexes/items"):
        check_problem(unready.get(target), 503, "not_ready")


def test_other_methods_are_refused(fake: Faked) -> None:
    for target in POSTED:
        reply = fake.asker.get(target)
        check_problem(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == "POST"
    assert fake.asker.post("/v1/indexes/items", {}).headers["allow"] == "GET"


FIELDS = (
    "vector", "vectors", "user", "item", "k", "filter", "exclude", "diversity", "parameters",
    "with", "features", "items", "ids", "decimal_ids", "searches", "version", "relation", "quotas",
)  # fmt: skip


@given(body=JSON_VALUES | st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=3))
def test_no_json_is_a_server_error(body: Any, searchable: Faked) -> None:
    for target in POSTED:
        reply = searchable.asker.post(target, body)
        assert reply.status in (200, 202, 400, 413, 422)
