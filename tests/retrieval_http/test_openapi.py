"""The document says what retrieval takes and answers: examples, limits, every field."""

from typing import Any

import pytest

from tests.retrieval_http.conftest import Faked
from tests.retrieval_http.test_refusals import (
    ACTIVATE,
    BATCH,
    DELETE,
    ONE,
    REBUILD,
    RECOMMEND,
    ROLLBACK,
    SEARCH,
    UPSERT,
)
from tests.serving.test_openapi import check_documented

INDEX = "/v1/indexes/{index}"


@pytest.fixture
def document(fake: Faked) -> dict[str, Any]:
    reply = fake.asker.get("/openapi.json")
    assert reply.status == 200
    return reply.json


def test_every_example_of_a_request_is_taken(fake: Faked, document: dict[str, Any]) -> None:
    taken = 0
    for path, operations in document["paths"].items():
        body = operations.get("post", {}).get("requestBody", {})
        examples = body.get("content", {}).get("application/json", {}).get("examples", {})
        for name, example in examples.items():
            reply = fake.asker.post(path.replace("{index}", "items"), example["value"])
            assert reply.status in (200, 202), (path, name, reply.json)
            taken += 1
    assert taken >= 12


def test_every_problem_shows_each_code_it_may_carry(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Problem"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                examples = response["content"]["application/problem+json"]["examples"]
                for code, example in examples.items():
                    assert example["value"]["code"] == code and code in response["description"]
                    assert example["value"]["status"] == int(status)
                    assert set(schema["required"]) <= set(example["value"])
                assert len(examples) == len(response["description"].split("; ")) >= 1


def test_the_example_of_an_answer_is_one(document: dict[str, Any]) -> None:
    search = document["paths"][f"{INDEX}/search"]["post"]["responses"]["200"]["content"]
    schema = document["components"]["schemas"]["CandidatesResponse"]
    example = search["application/json"]["example"]
    assert set(schema["required"]) <= set(example) <= set(schema["properties"])


def test_the_document_states_the_limits_of_this_server(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["SearchRequest"]["properties"]["k"]["maximum"] == 50
    assert schemas["RecommendRequest"]["properties"]["k"]["maximum"] == 50
    assert schemas["SearchRequest"]["properties"]["vectors"]["maxItems"] == 3
    assert schemas["BatchRequest"]["properties"]["searches"]["maxItems"] == 3
    assert schemas["UpsertRequest"]["properties"]["items"]["maxItems"] == 4
    assert schemas["DeleteRequest"]["properties"]["ids"]["maxItems"] == 4


def test_requests_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    requests = {name for name in schemas if name.endswith("Request")}
    assert len(requests) >= 8
    for name in {*requests, "NothingMore", "ItemToUpsert", "Diversity", "Parameters"}:
        assert schemas[name]["additionalProperties"] is False, name


def test_statuses_name_the_codes_of_their_routes(document: dict[str, Any]) -> None:
    searching = document["paths"][f"{INDEX}/search"]["post"]["responses"]
    assert "unknown_index" in searching["404"]["description"]
    assert "version_mismatch" in searching["409"]["description"]
    assert "invalid_filter" in searching["422"]["description"]
    assert "unknown_table" not in searching["404"]["description"]
    lookup = document["paths"]["/v1/tables/{table}/lookup"]["post"]["responses"]
    assert "unknown_index" not in lookup["404"]["description"]


ANSWERED = [
    ("/v1/recommend", lambda a: a.post(RECOMMEND, {"user": 1})),
    ("/v1/recommend", lambda a: a.post(RECOMMEND, {"user": 1, "with": ["explain", "vector"]})),
    ("/v1/recommend", lambda a: a.post(RECOMMEND, {})),
    (f"{INDEX}/search", lambda a: a.post(SEARCH, {**ONE, "with": ["attributes"]})),
    (f"{INDEX}/search", lambda a: a.post("/v1/indexes/none/search", ONE)),
    (f"{INDEX}/search:batch", lambda a: a.post(BATCH, {"searches": [ONE, ONE]})),
    (f"{INDEX}/search:batch", lambda a: a.post(BATCH, {"searches": [ONE] * 4})),
    (f"{INDEX}/items:upsert", lambda a: a.post(UPSERT, {"items": [{"id": 1, "vector": [1]}]})),
    (f"{INDEX}/items:delete", lambda a: a.post(DELETE, {"ids": [1]})),
    (f"{INDEX}:rebuild", lambda a: a.post(REBUILD, b"")),
    (f"{INDEX}:activate", lambda a: a.post(ACTIVATE, {"version": "a"})),
    (f"{INDEX}:rollback", lambda a: a.post(ROLLBACK, {})),
    ("/v1/indexes", lambda a: a.get("/v1/indexes")),
    (INDEX, lambda a: a.get("/v1/indexes/items")),
    (INDEX, lambda a: a.get("/v1/indexes/none")),
]


@pytest.mark.parametrize(("path", "ask"), ANSWERED)
def test_an_answer_has_a_documented_status_type_and_fields(
    fake: Faked, document: dict[str, Any], path: str, ask: Any
) -> None:
    check_documented(document, path, ask(fake.asker))
