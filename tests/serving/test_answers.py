"""Every format carries the rows of the snapshot, bit for bit, in the order asked."""

import base64
import io
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.serving.asking import RAW, Asker, Reply
from tests.serving.planted import (
    ABSENT,
    GREATEST,
    HASH_OF_85123A,
    HASH_OF_EMPTY,
    ITEM_IDS,
    LEAST,
    Planted,
)

ARROW = "application/vnd.apache.arrow.stream"
ITEM = "/v1/tables/item/lookup"
ASKED = [LEAST, GREATEST, 0, -1, 2**53 + 1, LEAST, 1000, ABSENT, 1000]
STATUS = ["found"] * 7 + ["missing", "found"]


def bits(values: NDArray[np.float32]) -> list[list[int]]:
    """Floats as bit patterns, since -0.0 == 0.0."""
    return np.ascontiguousarray(values, "<f4").view("<u4").tolist()


def read_json(reply: Reply) -> tuple[NDArray[np.float32], list[str]]:
    return np.array(reply.json["vectors"], np.float32), reply.json["status"]


def read_arrow(reply: Reply) -> tuple[NDArray[np.float32], list[str]]:
    table = pa.ipc.open_stream(reply.body).read_all()
    width = table.schema.field("vector").type.list_size
    values = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    return values, table["status"].to_pylist()


def read_found(reply: Reply, count: int) -> list[str]:
    packed = np.frombuffer(base64.b64decode(reply.headers["x-found"]), np.uint8)
    found = np.unpackbits(packed, count=count, bitorder="little")
    return ["found" if one else "missing" for one in found]


def read_npy(reply: Reply) -> tuple[NDArray[np.float32], list[str]]:
    values = np.load(io.BytesIO(reply.body), allow_pickle=False)
    return values, read_found(reply, len(values))


def read_raw(reply: Reply) -> tuple[NDArray[np.float32], list[str]]:
    shape = [int(n) for n in reply.headers["x-shape"].split(",")]
    assert reply.headers["x-dtype"] == "float32"
    return np.frombuffer(reply.body, "<f4").reshape(shape), read_found(reply, shape[0])


FORMATS: dict[str, Callable[[Reply], tuple[NDArray[np.float32], list[str]]]] = {
    "application/json": read_json,
    ARROW: read_arrow,
    "application/x-npy": read_npy,
    RAW: read_raw,
}


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("asked_raw", [False, True])
def test_every_format_carries_the_rows_bit_for_bit_in_the_order_asked(
    asker: Asker, planted: Planted, accept: str, asked_raw: bool
) -> None:
    if asked_raw:
        body, content_type = np.array(ASKED, "<i8").tobytes(), RAW
        reply = asker.post(f"{ITEM}?missing=zeros", body, content_type=content_type, accept=accept)
    else:
        reply = asker.post(ITEM, {"ids": ASKED, "missing": "zeros"}, accept=accept)
    assert reply.status == 200
    assert reply.headers["content-type"] == accept
    assert reply.headers["x-snapshot-version"].endswith(":1")
    values, status = FORMATS[accept](reply)
    expected = planted.values("item", [a if a != ABSENT else 0 for a in ASKED])
    expected[ASKED.index(ABSENT)] = 0.0
    assert bits(values) == bits(expected)
    assert status == STATUS


@pytest.mark.parametrize("accept", FORMATS)
def test_no_ids_give_no_vectors_of_the_tables_dimension(asker: Asker, accept: str) -> None:
    values, status = FORMATS[accept](asker.post(ITEM, {"ids": []}, accept=accept))
    assert (values.size, status) == (0, [])
    assert accept == "application/json" or values.shape == (0, 8)


def test_all_rows_of_a_table_come_back_through_the_shortest_decimal_numbers(
    asker: Asker, planted: Planted
) -> None:
    values, _ = read_json(asker.post(ITEM, {"ids": ITEM_IDS}))
    assert bits(values) == bits(planted.values("item", ITEM_IDS))


def test_the_body_names_table_dimension_and_snapshot(asker: Asker) -> None:
    reply = asker.post(ITEM, {"ids": [0]})
    assert (reply.json["table"], reply.json["dim"]) == ("item", 8)
    assert reply.json["snapshot_version"] == reply.headers["x-snapshot-version"]


def test_a_string_is_looked_up_by_its_hash_and_may_stand_beside_integers(
    asker: Asker, planted: Planted
) -> None:
    values, status = read_json(asker.post(ITEM, {"ids": ["85123A", 1, "", "1"]}))
    known = [HASH_OF_85123A, 1, HASH_OF_EMPTY]
    assert bits(values[:3]) == bits(planted.values("item", known))
    assert status == ["found", "found", "found", "missing"], "the string '1' is not the id 1"


def test_strings_alone_are_hashed_too(asker: Asker, planted: Planted) -> None:
    values, _ = read_json(asker.post(ITEM, {"ids": ["", "85123A"]}))
    assert bits(values) == bits(planted.values("item", [HASH_OF_EMPTY, HASH_OF_85123A]))


def test_decimal_ids_reach_ids_that_a_float_cannot_hold(asker: Asker, planted: Planted) -> None:
    asked = [GREATEST, LEAST, 2**53 + 1, -1, 0]
    values, status = read_json(asker.post(ITEM, {"decimal_ids": [str(one) for one in asked]}))
    assert bits(values) == bits(planted.values("item", asked))
    assert status == ["found"] * 5


def test_a_missing_id_reads_what_training_would_start_from(asker: Asker, planted: Planted) -> None:
    values, status = read_json(asker.post(ITEM, {"ids": [ABSENT]}))
    table = planted.tables["item"]
    assert bits(values) == bits(table.lookup(np.array([ABSENT]), missing="initial"))
    assert (status, ABSENT in table) == (["missing"], False)


def test_a_missing_id_reads_the_vector_given(asker: Asker, planted: Planted) -> None:
    given = [0.1, -2, 3e38, 0, 5, 6, 7, 8]
    values, _ = read_json(asker.post(ITEM, {"ids": [ABSENT, 0], "missing": given}))
    assert bits(values[:1]) == bits(np.array([given], np.float32))
    assert bits(values[1:]) == bits(planted.values("item", [0]))


def test_the_bodys_policy_stands_before_the_query_parameters(asker: Asker) -> None:
    values, _ = read_json(
        asker.post(f"{ITEM}?missing=error", {"ids": [ABSENT], "missing": "zeros"})
    )
    assert not values.any()


def test_missing_as_error_answers_as_usual_when_every_id_has_a_row(asker: Asker) -> None:
    assert asker.post(ITEM, {"ids": [0, 1], "missing": "error"}).status == 200


def test_arrow_carries_the_hashed_ids_and_names_the_snapshot(asker: Asker) -> None:
    reply = asker.post(ITEM, {"ids": ["85123A", 3]}, accept=ARROW)
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table["id"].to_pylist() == [HASH_OF_85123A, 3]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 8)
    assert (
        table.schema.metadata[b"snapshot_version"].decode() == reply.headers["x-snapshot-version"]
    )
    assert pl.read_ipc_stream(reply.body)["table"].to_list() == ["item", "item"]


LOOKUPS = {
    "lookups": [
        {"table": "user", "ids": [9, 7, 9]},
        {"table": "item", "ids": [0, ABSENT], "missing": "zeros"},
        {"table": "user", "decimal_ids": ["8"]},
    ]
}


def test_several_tables_answer_in_one_call_in_the_order_asked(
    asker: Asker, planted: Planted
) -> None:
    reply = asker.post("/v1/lookup", LOOKUPS)
    first, second, third = reply.json["lookups"]
    assert [first["table"], second["table"], third["table"]] == ["user", "item", "user"]
    assert bits(np.array(first["vectors"])) == bits(planted.values("user", [9, 7, 9]))
    assert second["status"] == ["found", "missing"]
    assert bits(np.array(second["vectors"][:1])) == bits(planted.values("item", [0]))
    assert bits(np.array(third["vectors"])) == bits(planted.values("user", [8]))
    assert reply.json["snapshot_version"] == reply.headers["x-snapshot-version"]


def test_several_tables_travel_as_raw_blocks_one_after_the_other(
    asker: Asker, planted: Planted
) -> None:
    reply = asker.post("/v1/lookup", LOOKUPS, accept=RAW)
    assert reply.headers["x-shape"] == "3,3;2,8;1,3"
    assert read_found(reply, 6) == ["found"] * 4 + ["missing", "found"]
    values = np.frombuffer(reply.body, "<f4")
    assert bits(values[:9].reshape(3, 3)) == bits(planted.values("user", [9, 7, 9]))
    assert bits(values[9:17].reshape(1, 8)) == bits(planted.values("item", [0]))
    assert bits(values[25:].reshape(1, 3)) == bits(planted.values("user", [8]))


def test_several_tables_travel_as_one_arrow_stream(asker: Asker, planted: Planted) -> None:
    table = pa.ipc.open_stream(asker.post("/v1/lookup", LOOKUPS, accept=ARROW).body).read_all()
    assert table["table"].to_pylist() == ["user"] * 3 + ["item"] * 2 + ["user"]
    assert table["id"].to_pylist() == [9, 7, 9, 0, ABSENT, 8]
    assert bits(table["vector"][3].values.to_numpy()) == bits(planted.values("item", [0])[0])
    assert len(table["vector"][5]) == 3
