"""Items nobody has clicked yet have vectors by their contents; a prefix leads back to its items."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_embed import TableConfig
from recsys_embed.snapshot import write_snapshot
from recsys_embed.table import CollisionlessTable
from serving.app import create_app
from serving.settings import Settings
from tests.serving.asking import Asker, Reply
from tests.serving.mapped import (
    CODEBOOKS,
    CODES,
    CONTENTS,
    DIM,
    ITEMS,
    LEVELS,
    ROW_MAPS,
    SEMANTIC_IDS,
    WIDTH,
    trained,
    vectors,
)
from tests.serving.test_answers import ARROW, bits
from tests.serving.test_openapi import check_documented
from tests.serving.test_refusals import JSON_VALUES, check_problem

TABLES = ("semantic_prefix", "semantic_pieces", "semantic_memorizing", "hashed")
PREFIX = "/v1/tables/semantic_prefix/lookup"
NEW = np.random.default_rng(5).standard_normal((20, WIDTH)).astype(np.float32)
MAX_IDS = 50


@pytest.fixture(scope="module")
def tables() -> dict[str, CollisionlessTable]:
    return {name: trained(name) for name in TABLES}


@pytest.fixture(scope="module")
def asker(tables: dict[str, CollisionlessTable], tmp_path_factory: pytest.TempPathFactory) -> Asker:
    root = tmp_path_factory.mktemp("semantic")
    write_snapshot(root, tables)
    return Asker(create_app(Settings(snapshot=root, max_ids=MAX_IDS)))


def nearest(content: NDArray[np.float32]) -> list[int]:
    """The codes of one content, level by level: slow and obvious."""
    rest, codes = content.astype(np.float64), []
    for level in CODEBOOKS.vectors.astype(np.float64):
        codes.append(int(np.argmin([np.square(rest - code).sum() for code in level])))
        rest = rest - level[codes[-1]]
    return codes


def read(reply: Reply) -> list[list[int]]:
    assert reply.status == 200, reply.json
    return bits(np.array(reply.json["vectors"], np.float32))


@pytest.mark.parametrize("name", ["semantic_prefix", "semantic_pieces"])
def test_an_item_has_by_its_contents_the_vector_that_it_has_by_its_id(
    asker: Asker, tables: dict[str, CollisionlessTable], name: str
) -> None:
    reply = asker.post(f"/v1/tables/{name}/lookup", {"contents": CONTENTS.tolist()})
    assert read(reply) == bits(vectors(tables[name], ITEMS, "user", "initial"))
    assert reply.json["semantic_ids"] == SEMANTIC_IDS.tolist()


def test_an_unseen_item_has_the_sum_of_the_rows_of_its_nearest_codes(
    asker: Asker, tables: dict[str, CollisionlessTable]
) -> None:
    reply = asker.post(PREFIX, {"contents": NEW.tolist()})
    expected_ids = [nearest(content) for content in NEW]
    assert reply.json["semantic_ids"] == expected_ids
    row_map, table = ROW_MAPS["semantic_prefix"], tables["semantic_prefix"]
    initial = CollisionlessTable(TableConfig.of("semantic_prefix", DIM))
    held = {int(i): w for b in table.rows() for i, w in zip(b.ids, b.weights, strict=True)}
    for codes, vector, status in zip(expected_ids, read(reply), reply.json["status"], strict=True):
        rows = row_map.rows_of_codes([codes]).rows[0].tolist()
        own = [held.get(row, initial.initial_values(np.array([row]))[0]) for row in rows]
        total = own[0].copy()
        for one in own[1:]:
            total += one
        assert vector == bits(total)
        assert status == ("found" if held.keys() >= set(rows) else "missing")


def test_semantic_ids_read_what_their_contents_do(asker: Asker) -> None:
    by_contents = asker.post(PREFIX, {"contents": NEW.tolist()})
    by_codes = asker.post(PREFIX, {"semantic_ids": by_contents.json["semantic_ids"]})
    assert by_codes.body == by_contents.body


def test_contents_read_all_but_the_row_that_memorizes_an_id(
    asker: Asker, tables: dict[str, CollisionlessTable]
) -> None:
    name = "semantic_memorizing"
    reply = asker.post(f"/v1/tables/{name}/lookup", {"contents": CONTENTS.tolist()})
    row_map, table = ROW_MAPS[name], tables[name]
    own = row_map.map(ITEMS).rows.reshape(len(ITEMS), -1)[:, -1]
    held = {int(i): w for b in table.rows() for i, w in zip(b.ids, b.weights, strict=True)}
    shared = np.array(reply.json["vectors"], np.float32)
    whole = vectors(table, ITEMS, "user", "initial")
    known = [position for position, row in enumerate(own.tolist()) if row in held]
    assert len(known) > 10
    for position in known:
        assert bits(shared[position] + held[int(own[position])]) == bits(whole[position])


def test_arrow_carries_semantic_ids_where_there_are_no_ids(asker: Asker) -> None:
    reply = asker.post(PREFIX, {"contents": NEW[:2].tolist()}, accept=ARROW)
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table["id"].to_pylist() == [None, None]
    assert table["semantic_id"].to_pylist() == [nearest(content) for content in NEW[:2]]


def test_ids_contents_and_semantic_ids_may_be_asked_in_one_call(asker: Asker) -> None:
    lookups = [
        {"table": "hashed", "ids": [100]},
        {"table": "semantic_prefix", "contents": NEW[:1].tolist()},
        {"table": "semantic_pieces", "semantic_ids": [[0, 1, 2]]},
    ]
    answers = asker.post("/v1/lookup", {"lookups": lookups}).json["lookups"]
    assert [answer.get("semantic_ids") for answer in answers] == [
        None,
        [nearest(NEW[0])],
        [[0, 1, 2]],
    ]
    reply = asker.post("/v1/lookup", {"lookups": lookups}, accept=ARROW)
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table["id"].to_pylist() == [100, None, None]
    assert table["semantic_id"].to_pylist() == [None, nearest(NEW[0]), [0, 1, 2]]


@pytest.mark.parametrize("kind", ["contents", "semantic_ids"])
def test_no_items_give_no_vectors(asker: Asker, kind: str) -> None:
    reply = asker.post(PREFIX, {kind: []}, accept="application/octet-stream")
    assert (reply.status, reply.headers["x-shape"]) == (200, "0,4")


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a content too short": ({"contents": [[0] * WIDTH, [0]]}, "contents.1: expected 5 numbers"),
    "a content of nothing": ({"contents": [[]]}, "contents.0: expected 5 numbers, got 0"),
    "a code too few": ({"semantic_ids": [[0, 1]]}, "semantic_ids.0: expected 3 codes, got 2"),
    "a code too high": ({"semantic_ids": [[0, 1, 9]]}, "codes must be in [0, 4), got 0 to 9"),
    "a negative code": ({"semantic_ids": [[0, 1, -1]]}, "semantic_ids.0.2"),
    "a code of true": ({"semantic_ids": [[0, 1, True]]}, "semantic_ids.0.2"),
    "a content beyond float32": ({"contents": [[1e39] * WIDTH]}, "contents.0.0"),
    "two kinds": ({"contents": [], "ids": [1]}, "exactly one of ids, decimal_ids, contents"),
    "another feature's content": ({"contents": [], "semantic_ids": []}, "got contents and"),
}


@pytest.mark.parametrize(("body", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
def test_items_that_do_not_fit_are_refused_with_numbers(
    asker: Asker, body: dict[str, Any], sentence: str
) -> None:
    problem = check_problem(asker.post(PREFIX, body), 422, "invalid_request")
    assert sentence in problem["detail"]


@pytest.mark.parametrize("body", [{"contents": [[0.0]]}, {"semantic_ids": []}])
def test_a_table_without_semantic_ids_says_what_it_has(asker: Asker, body: Any) -> None:
    for reply in (asker.post("/v1/tables/hashed/lookup", body), asker.get(under("hashed"))):
        problem = check_problem(reply, 422, "no_semantic_ids")
        assert "table 'hashed' has a hashed row map" in problem["detail"]


def test_items_count_as_ids_do(asker: Asker) -> None:
    body = {"semantic_ids": [[0] * LEVELS] * (MAX_IDS + 1)}
    check_problem(asker.post(PREFIX, body), 413, "too_many_ids")


def test_items_without_all_their_rows_are_named_by_their_semantic_ids(asker: Asker) -> None:
    told = asker.post(PREFIX, {"contents": NEW.tolist()}).json
    lacking = [
        ",".join(map(str, codes))
        for codes, status in zip(told["semantic_ids"], told["status"], strict=True)
        if status == "missing"
    ]
    reply = asker.post(PREFIX, {"contents": NEW.tolist(), "missing": "error"})
    assert check_problem(reply, 404, "missing_ids")["ids"] == lacking


@given(value=JSON_VALUES, kind=st.sampled_from(["contents", "semantic_ids", "feature"]))
def test_no_items_are_a_server_error(asker: Asker, value: Any, kind: str) -> None:
    body = {kind: value} if kind != "feature" else {"contents": [], kind: value}
    assert asker.post(PREFIX, body).status in (200, 400, 404, 413, 422)


def under(name: str, query: str = "") -> str:
    return f"/v1/tables/{name}/items{query}"


@given(prefix=st.lists(st.integers(0, CODES - 1), max_size=LEVELS), limit=st.integers(1, MAX_IDS))
def test_a_prefix_leads_to_the_items_that_begin_so(
    asker: Asker, prefix: list[int], limit: int
) -> None:
    pairs = zip(SEMANTIC_IDS.tolist(), ITEMS.tolist(), strict=True)
    expected = sorted(pair for pair in pairs if pair[0][: len(prefix)] == prefix)
    text = ",".join(map(str, prefix))
    told = asker.get(under("semantic_prefix", f"?prefix={text}&limit={limit}")).json
    assert told["total"] == len(expected)
    assert told["ids"] == [item for _, item in expected][:limit]
    assert told["semantic_ids"] == [codes for codes, _ in expected][:limit]
    assert told["decimal_ids"] == [str(item) for item in told["ids"]]
    assert (told["table"], told["prefix"]) == ("semantic_prefix", prefix)


def test_all_items_are_listed_without_a_prefix_and_can_be_asked_for(asker: Asker) -> None:
    told = asker.get(under("semantic_prefix")).json
    assert sorted(told["ids"]) == sorted(ITEMS.tolist())
    by_ids = asker.post(PREFIX, {"decimal_ids": told["decimal_ids"]})
    by_codes = asker.post(PREFIX, {"semantic_ids": told["semantic_ids"]})
    assert read(by_ids) == read(by_codes)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?prefix=4", "prefix: expected up to 3 codes in [0, 4), got 1: 4"),
        ("?prefix=0,0,0,0", "got 4: 0, 0, 0, 0"),
        ("?prefix=-1", "got '-1'"),
        ("?prefix=0,,1", "got ''"),
        ("?prefix=one", "got 'one'"),
        ("?prefix=%D9%A1", "expected integers"),
        ("?prefix=" + "9" * 5000, "expected integers"),
        ("?limit=0", "limit: expected an integer in [1, 50], got 0"),
        ("?limit=51", "got 51"),
        ("?limit=", "got ''"),
        ("?prefix=0&prefix=1", "each once at most, got 'prefix', 'prefix'"),
        ("?missing=zeros", "expected the query parameters 'prefix', 'limit'"),
    ],
)
def test_a_prefix_that_does_not_fit_is_refused_with_numbers(
    asker: Asker, query: str, sentence: str
) -> None:
    reply = asker.get(under("semantic_prefix", query))
    assert sentence in check_problem(reply, 422, "invalid_request")["detail"]


def test_items_of_an_unknown_table_are_not_listed(asker: Asker) -> None:
    check_problem(asker.get(under("none")), 404, "unknown_table")


def test_a_table_tells_what_its_semantic_ids_are(asker: Asker) -> None:
    assert asker.get("/v1/tables/semantic_prefix").json["semantic_ids"] == {
        "levels": LEVELS,
        "codes_per_level": CODES,
        "content_dim": WIDTH,
        "items": len(ITEMS),
        "codebooks": CODEBOOKS.digest,
    }


def test_what_semantic_ids_add_is_documented(asker: Asker) -> None:
    document = asker.get("/openapi.json").json
    lookup = "/v1/tables/{table}/lookup"
    check_documented(document, lookup, asker.post(PREFIX, {"contents": NEW.tolist()}))
    check_documented(document, lookup, asker.post("/v1/tables/hashed/lookup", {"contents": []}))
    check_documented(document, "/v1/tables/{table}/items", asker.get(under("semantic_prefix")))
    check_documented(document, "/v1/tables/{table}", asker.get("/v1/tables/semantic_prefix"))
