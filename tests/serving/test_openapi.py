"""The document says what the server does: every route, every status, every body."""

import json
from typing import Any

import pytest

from tests.serving.asking import RAW, Asker, Reply
from tests.serving.planted import ABSENT, MAX_IDS

ITEM = "/v1/tables/item/lookup"
ONE = {"lookups": [{"table": "item", "ids": [1]}]}
KINDS = ("ids", "decimal_ids", "contents", "semantic_ids")
POSTED = {200, 400, 404, 406, 409, 413, 415, 422, 500, 503}
ROUTES = {
    ("post", "/v1/recommend"): POSTED,
    ("post", "/v1/indexes/{index}/search"): POSTED,
    ("post", "/v1/indexes/{index}/search:batch"): POSTED,
    ("post", "/v1/indexes/{index}/items:upsert"): POSTED | {403},
    ("post", "/v1/indexes/{index}/items:delete"): POSTED | {403},
    ("post", "/v1/indexes/{index}:rebuild"): (POSTED | {202, 403}) - {200},
    ("post", "/v1/indexes/{index}:activate"): POSTED | {403},
    ("post", "/v1/indexes/{index}:rollback"): POSTED | {403},
    ("get", "/v1/indexes"): {200, 500, 503},
    ("get", "/v1/indexes/{index}"): {200, 404, 500, 503},
    ("post", "/v1/tables/{table}/lookup"): {200, 400, 404, 406, 413, 415, 422, 500, 503},
    ("post", "/v1/lookup"): {200, 400, 404, 406, 413, 415, 422, 500, 503},
    ("get", "/v1/tables"): {200, 500, 503},
    ("get", "/v1/tables/{table}"): {200, 404, 500, 503},
    ("get", "/v1/tables/{table}/items"): {200, 404, 422, 500, 503},
    ("get", "/v1/info"): {200, 500, 503},
    ("get", "/livez"): {200, 500},
    ("get", "/readyz"): {200, 500, 503},
    ("get", "/metrics"): {200, 500},
}


@pytest.fixture
def document(asker: Asker) -> dict[str, Any]:
    reply = asker.get("/openapi.json")
    assert reply.status == 200
    return reply.json


def test_every_route_documents_every_status(document: dict[str, Any]) -> None:
    documented = {
        (method, path): {int(status) for status in operation["responses"]}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert documented == ROUTES


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    names = set(document["components"]["schemas"])
    parts = json.dumps(document).split('"$ref": "#/components/schemas/')[1:]
    assert len(parts) > 20
    assert {part.partition('"')[0] for part in parts} <= names
    assert "HTTPValidationError" not in names, "a status that is never answered"


def test_problems_are_documented_as_such(document: dict[str, Any]) -> None:
    for method, path in ROUTES:
        for status, response in document["paths"][path][method]["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]
                assert "X-Request-Id" in response["headers"]


def test_a_lookup_documents_its_request(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/tables/{table}/lookup"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", RAW}
    assert {p["name"]: p["in"] for p in operation["parameters"]} == {
        "table": "path",
        "missing": "query",
        "feature": "query",
    }
    several = document["paths"]["/v1/lookup"]["post"]
    assert [p["name"] for p in several["parameters"]] == ["missing"], "features are by table"
    items = document["paths"]["/v1/tables/{table}/items"]["get"]
    assert [p["name"] for p in items["parameters"]] == ["table", "prefix", "limit"]
    schema = document["components"]["schemas"]["LookupRequest"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {*KINDS, "feature", "missing"}
    assert schema["oneOf"] == [{"required": [kind]} for kind in KINDS]
    assert (
        "feature" not in schema.get("required", [])
        and "default" not in schema["properties"]["feature"]
    )


ANSWERED = [
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {"ids": [1]})),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {"ids": [1]}, accept="application/x-npy")),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, b"{")),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {"ids": [ABSENT], "missing": "error"})),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {"ids": [1]}, accept="text/html")),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {"ids": [1] * (MAX_IDS + 1)})),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {}, content_type="text/plain")),
    ("/v1/tables/{table}/lookup", lambda a: a.post(ITEM, {})),
    ("/v1/lookup", lambda a: a.post("/v1/lookup", ONE)),
    ("/v1/tables", lambda a: a.get("/v1/tables")),
    ("/v1/tables/{table}", lambda a: a.get("/v1/tables/item")),
    ("/v1/tables/{table}", lambda a: a.get("/v1/tables/none")),
    ("/v1/tables/{table}/items", lambda a: a.get("/v1/tables/item/items")),
    ("/v1/info", lambda a: a.get("/v1/info")),
    ("/livez", lambda a: a.get("/livez")),
    ("/readyz", lambda a: a.get("/readyz")),
    ("/metrics", lambda a: a.get("/metrics")),
]


def check_documented(document: dict[str, Any], path: str, reply: Reply) -> None:
    """The answer has a status, a type and fields that the document names for the path."""
    [operation] = document["paths"][path].values()
    content = operation["responses"][str(reply.status)]["content"]
    media_type = reply.headers["content-type"].partition(";")[0]
    assert media_type in content
    if "$ref" in content[media_type]["schema"]:
        name = content[media_type]["schema"]["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
        assert set(schema["required"]) <= set(reply.json) <= set(schema["properties"])


@pytest.mark.parametrize(("path", "ask"), ANSWERED)
def test_an_answer_has_a_documented_status_type_and_fields(
    asker: Asker, document: dict[str, Any], path: str, ask: Any
) -> None:
    check_documented(document, path, ask(asker))
