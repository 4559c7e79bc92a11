"""What cannot be answered is refused with a typed problem, and nothing is ever a server error."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.app import create_app
from serving.lookup import LookupService
from serving.settings import Settings
from tests.serving.asking import RAW, Asker, Reply
from tests.serving.fakes import Opener, service_of, table_of
from tests.serving.planted import ABSENT, MAX_BODY_BYTES, MAX_IDS

ITEM = "/v1/tables/item/lookup"


def check_problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = reply.json
    assert (reply.status, problem["code"]) == (status, code), problem
    assert reply.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"urn:recsys-embed:problem:{code}"
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert problem["title"] and problem["detail"]
    return problem


BODIES = {
    "an id of true": {"ids": [True]},
    "an id of 1.0": b'{"ids": [1.0]}',
    "an id of 1e3": b'{"ids": [1e3]}',
    "an id of 2^63": {"ids": [2**63]},
    "an id below -2^63": {"ids": [-(2**63) - 1]},
    "an id of 2^70": {"ids": [2**70]},
    "an id of 400 digits": b'{"ids": [' + b"9" * 400 + b"]}",
    "an id of null": {"ids": [None]},
    "an id of a list": {"ids": [[1]]},
    "ids that are no list": {"ids": 1},
    "ids of null": {"ids": None},
    "no ids": {"missing": "zeros"},
    "two kinds of ids": {"ids": [1], "decimal_ids": ["1"]},
    "an integer among decimals": {"decimal_ids": [1]},
    "a decimal with a point": {"decimal_ids": ["1.0"]},
    "a decimal with a space": {"decimal_ids": [" 1"]},
    "a decimal with a line": {"decimal_ids": ["1\n"]},
    "a decimal of other digits": {"decimal_ids": ["\u0661"]},
    "a decimal above int64": {"decimal_ids": ["9223372036854775808"]},
    "an unknown field": {"ids": [1], "misssing": "zeros"},
    "an unknown policy": {"ids": [1], "missing": "none"},
    "a policy of null": {"ids": [1], "missing": None},
    "a vector of another dimension": {"ids": [1], "missing": [1.0] * 7},
    "a vector of no dimension": {"ids": [1], "missing": []},
    "a vector of strings": {"ids": [1], "missing": ["1"] * 8},
    "a vector of booleans": {"ids": [1], "missing": [True] * 8},
    "a vector beyond float32": {"ids": [1], "missing": [1e39] + [0] * 7},
    "a vector of a huge integer": {"ids": [1], "missing": [10**400] + [0] * 7},
    "a vector beyond float64": b'{"ids": [1], "missing": [1e400, 0, 0, 0, 0, 0, 0, 0]}',
    "a vector of NaN": b'{"ids": [1], "missing": [NaN, 0, 0, 0, 0, 0, 0, 0]}',
    "a vector of Infinity": b'{"ids": [1], "missing": [-Infinity, 0, 0, 0, 0, 0, 0, 0]}',
    "a list": [1],
    "a number": 1,
    "null": None,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_does_not_fit_is_refused(asker: Asker, body: Any) -> None:
    check_problem(asker.post(ITEM, body), 422, "invalid_request")


MALFORMED = {
    "nothing": b"",
    "half an object": b'{"ids": [1',
    "more than one": b'{"ids": [1]}{}',
    "no UTF-8": b'{"ids": ["\xff"]}',
    "UTF-16": '{"ids": [1]}'.encode("utf-16"),
    "a lone surrogate": b'{"ids": ["\\ud800"]}',
    "an encoded surrogate": b'{"ids": ["\xed\xa0\x80"]}',
    "a control character": b'{"ids": ["\x01"]}',
    "a bottomless nest": b"[" * 5000,
    "hexadecimal": b'{"ids": [0x10]}',
    "a comment": b'{"ids": [1]} // one',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_body_that_is_no_json_is_malformed(asker: Asker, body: bytes) -> None:
    check_problem(asker.post(ITEM, body), 400, "malformed_body")


def test_raw_ids_of_broken_length_are_malformed(asker: Asker) -> None:
    check_problem(asker.post(ITEM, b"1234567", content_type=RAW), 400, "malformed_body")


def test_a_refusal_says_where_the_body_is_wrong(asker: Asker) -> None:
    problem = check_problem(asker.post(ITEM, {"ids": [1, True, 2.5]}), 422, "invalid_request")
    assert [error["where"] for error in problem["errors"]] == ["ids.1", "ids.2"]
    assert "[-2^63, 2^63)" in problem["errors"][0]["what"]


def test_a_decimal_out_of_range_is_named_by_its_place(asker: Asker) -> None:
    reply = asker.post(ITEM, {"decimal_ids": ["1", "-9223372036854775809"]})
    assert check_problem(reply, 422, "invalid_request")["errors"][0]["where"] == "decimal_ids.1"


def test_a_refusal_names_only_the_first_of_many_errors(asker: Asker) -> None:
    problem = check_problem(asker.post(ITEM, {"ids": [None] * 200}), 422, "invalid_request")
    assert len(problem["errors"]) == 10
    assert "199 more" in problem["detail"]


def test_missing_ids_are_named_as_they_were_asked(asker: Asker) -> None:
    reply = asker.post(ITEM, {"ids": [0, ABSENT, "no such item", 1], "missing": "error"})
    problem = check_problem(reply, 404, "missing_ids")
    assert problem["ids"] == [ABSENT, "no such item"]
    assert problem["missing_count"] == 2


def test_missing_ids_of_a_raw_body_are_named_as_integers(asker: Asker) -> None:
    body = ABSENT.to_bytes(8, "little")
    reply = asker.post(f"{ITEM}?missing=error", body, content_type=RAW)
    assert check_problem(reply, 404, "missing_ids")["ids"] == [ABSENT]


def test_an_unknown_table_is_answered_with_those_there_are(asker: Asker) -> None:
    reply = asker.post("/v1/tables/itme/lookup", {"ids": [1]})
    detail = check_problem(reply, 404, "unknown_table")["detail"]
    assert "holds item, user" in detail and "did you mean 'item'?" in detail


def test_one_unknown_table_refuses_all_lookups_of_the_call(asker: Asker) -> None:
    lookups = [{"table": "item", "ids": [1]}, {"table": "nope", "ids": [1]}]
    check_problem(asker.post("/v1/lookup", {"lookups": lookups}), 404, "unknown_table")


@pytest.mark.parametrize("lookups", [[], [{"ids": [1]}], [{"table": 1, "ids": [1]}], {}, None])
def test_lookups_that_do_not_fit_are_refused(asker: Asker, lookups: Any) -> None:
    check_problem(asker.post("/v1/lookup", {"lookups": lookups}), 422, "invalid_request")


def test_the_limit_of_ids_holds_exactly(asker: Asker) -> None:
    assert asker.post(ITEM, {"ids": [1] * MAX_IDS}).status == 200
    check_problem(asker.post(ITEM, {"ids": [1] * (MAX_IDS + 1)}), 413, "too_many_ids")
    raw = bytes(8 * (MAX_IDS + 1))
    check_problem(asker.post(ITEM, raw, content_type=RAW), 413, "too_many_ids")


def test_the_limit_of_ids_counts_all_lookups_of_a_call(asker: Asker) -> None:
    half = {"table": "user", "ids": [1] * (MAX_IDS // 2)}
    assert asker.post("/v1/lookup", {"lookups": [half, half]}).status == 200
    more = {"lookups": [half, half, {"table": "user", "ids": [1]}]}
    check_problem(asker.post("/v1/lookup", more), 413, "too_many_ids")


def test_a_body_declared_too_large_is_refused_unread(asker: Asker) -> None:
    headers = {"content-type": RAW, "content-length": str(MAX_BODY_BYTES + 1)}
    check_problem(asker.ask("POST", ITEM, headers, [b""]), 413, "body_too_large")


def test_a_body_that_grows_too_large_is_refused_undeclared(asker: Asker) -> None:
    chunks = [bytes(1024)] * (MAX_BODY_BYTES // 1024) + [b"1"]
    check_problem(asker.ask("POST", ITEM, {"content-type": RAW}, chunks), 413, "body_too_large")


def test_a_body_in_chunks_is_one_body(asker: Asker) -> None:
    chunks = [b'{"ids"', b": [", b"", b"0]}"]
    assert asker.ask("POST", ITEM, {"content-type": "application/json"}, chunks).status == 200


def test_a_client_that_leaves_gets_no_answer(asker: Asker) -> None:
    reply = asker.ask("POST", ITEM, {"content-type": "application/json"}, [b"{", None])
    assert reply.status == 0


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/json; charset=latin-1", "application/*"]
)
def test_other_content_types_are_refused(asker: Asker, content_type: str | None) -> None:
    reply = asker.post(ITEM, {"ids": [1]}, content_type=content_type)
    check_problem(reply, 415, "unsupported_content")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'Application/JSON;Charset="UTF-8"']
)
def test_json_may_say_that_it_is_utf8(asker: Asker, content_type: str) -> None:
    assert asker.post(ITEM, {"ids": [1]}, content_type=content_type).status == 200


def test_encoded_bodies_are_refused(asker: Asker) -> None:
    reply = asker.post(ITEM, {"ids": [1]}, content_encoding="gzip")
    check_problem(reply, 415, "unsupported_content")


def test_raw_ids_do_not_fit_several_tables(asker: Asker) -> None:
    check_problem(asker.post("/v1/lookup", b"", content_type=RAW), 415, "unsupported_content")


@pytest.mark.parametrize(
    "query",
    [
        "missing=none",
        "missing=",
        "mising=zeros",
        "missing=zeros&missing=zeros",
        "feature=default&feature=default",
        "prefix=1",
    ],
)
def test_other_query_parameters_are_refused(asker: Asker, query: str) -> None:
    check_problem(asker.post(f"{ITEM}?{query}", {"ids": [1]}), 422, "invalid_request")


def test_a_feature_in_the_url_is_of_one_table(asker: Asker) -> None:
    assert asker.post(f"{ITEM}?feature=default&missing=zeros", {"ids": [1]}).status == 200
    check_problem(asker.post(f"{ITEM}?feature=user", {"ids": [1]}), 404, "unknown_feature")
    body = {"lookups": [{"table": "item", "ids": [1]}]}
    check_problem(asker.post("/v1/lookup?feature=default", body), 422, "invalid_request")


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json;q=0",
        "*/*, application/*;q=0",
        "image/*",
        "application/json;q=x",
    ],
)
def test_formats_nobody_writes_are_refused(asker: Asker, accept: str) -> None:
    check_problem(asker.post(ITEM, {"ids": [1]}, accept=accept), 406, "not_acceptable")


def test_npy_does_not_fit_several_tables(asker: Asker) -> None:
    body = {"lookups": [{"table": "item", "ids": [1]}]}
    reply = asker.post("/v1/lookup", body, accept="application/x-npy")
    check_problem(reply, 406, "not_acceptable")


def test_routes_that_do_not_exist_are_problems_too(asker: Asker) -> None:
    for target in ("/", "/v1", "/v1/tables/", "/v1/tables/item/lookup/", "/docs"):
        check_problem(asker.get(target), 404, "not_found")
    check_problem(asker.get("/nowhere", {"host": "["}), 404, "not_found")


def test_other_methods_are_refused_with_those_allowed(asker: Asker) -> None:
    reply = asker.get(ITEM)
    check_problem(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "POST"
    assert asker.ask("DELETE", "/livez", {}, [b""]).headers["allow"] == "GET"


def test_a_clients_request_id_comes_back(asker: Asker) -> None:
    assert asker.get("/livez", {"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    problem = check_problem(asker.post(ITEM, {}, x_request_id="abc-2"), 422, "invalid_request")
    assert problem["request_id"] == "abc-2"


@pytest.mark.parametrize("given_id", ["two words", "", "x" * 129, "caf\u00e9"])
def test_a_request_id_that_could_spoil_a_log_is_replaced(asker: Asker, given_id: str) -> None:
    reply = asker.post(ITEM, {}, x_request_id=given_id)
    made = check_problem(reply, 422, "invalid_request")["request_id"]
    assert made != given_id and len(made) == 16


def test_problems_name_the_snapshot(asker: Asker) -> None:
    reply = asker.post(ITEM, {})
    assert reply.json["snapshot_version"] == reply.headers["x-snapshot-version"]


def test_before_a_snapshot_is_loaded_lookups_are_put_off(settings: Settings) -> None:
    unready = Asker(create_app(settings), start=False)
    for reply in (
        unready.post(ITEM, {"ids": [1]}),
        unready.get("/readyz"),
        unready.get("/v1/info"),
    ):
        problem = check_problem(reply, 503, "not_ready")
        assert reply.headers["retry-after"] == "1"
        assert "snapshot_version" not in problem
    assert unready.get("/livez").status == 200


def test_a_bug_is_a_problem_and_a_line_in_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = service_of(table_of("item", 2, [1]))
    asker = Asker(create_app(settings, Opener(service)))
    monkeypatch.setattr(LookupService, "lookup", lambda *_: 1 // 0)
    with caplog.at_level(logging.ERROR, "serving"):
        problem = check_problem(asker.post(ITEM, {"ids": [1]}), 500, "internal")
    assert problem["request_id"] in caplog.text and "ZeroDivisionError" in caplog.text
    assert "division" not in json.dumps(problem)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
REQUEST_LIKE = st.fixed_dictionaries(
    {"ids": JSON_VALUES},
    optional=dict.fromkeys(["missing", "decimal_ids", "table", "feature"], JSON_VALUES),
)


@given(body=JSON_VALUES | REQUEST_LIKE | REQUEST_LIKE.map(lambda one: {"lookups": [one]}))
def test_no_json_is_a_server_error(asker: Asker, body: Any) -> None:
    for target in (ITEM, "/v1/lookup"):
        reply = asker.post(target, body)
        assert reply.status in (200, 400, 404, 413, 422)
        assert reply.status == 200 or reply.json["code"] != "internal"


@given(body=st.binary(max_size=100), content_type=st.sampled_from(["application/json", RAW]))
def test_no_bytes_are_a_server_error(asker: Asker, body: bytes, content_type: str) -> None:
    assert asker.post(ITEM, body, content_type=content_type).status in (200, 400, 422)
