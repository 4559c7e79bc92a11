"""A served lookup equals the trained vector, bit for bit, whatever becomes of ids on the way."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pyarrow as pa
import pytest
import xxhash

import recsys_embed.row_maps
from recsys_embed.errors import SnapshotCorruptError
from recsys_embed.snapshot import write_snapshot
from recsys_embed.table import CollisionlessTable
from serving.lookup import LookupService
from tests.serving.asking import RAW
from tests.serving.mapped import DIM, FEATURES, ROW_MAPS, SEEN, UNSEEN, held, trained, vectors
from tests.serving.running import running
from tests.serving.test_answers import ARROW, bits, read_found
from tests.serving.test_server import refused

IDS = np.concatenate([SEEN, UNSEEN, SEEN[:3]])


class Served(NamedTuple):
    path: Path
    tables: dict[str, CollisionlessTable]
    http: httpx.Client

    def ask(self, name: str, body: Any, query: str = "", **headers: str) -> httpx.Response:
        url = f"/v1/tables/{name}/lookup{query}"
        if isinstance(body, bytes):
            return self.http.post(url, content=body, headers={"content-type": RAW, **headers})
        return self.http.post(url, json=body, headers=headers)

    def width(self, name: str, feature: str) -> int:
        return DIM * ROW_MAPS[name].chunks(feature)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server of a table for every row map, and the tables it was trained as."""
    tables = {name: trained(name) for name in ROW_MAPS}
    root = tmp_path_factory.mktemp("mapped")
    path = write_snapshot(root, tables, shards=2)
    with running(root) as server, httpx.Client(base_url=server.url) as http:
        yield Served(path, tables, http)


def test_every_row_map_there_is_is_served_here() -> None:
    kinds = {kind.__name__ for kind in recsys_embed.row_maps.RowMapConfig.__args__}
    assert {type(row_map).__name__ for row_map in ROW_MAPS.values()} == kinds


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", ROW_MAPS)
def test_a_served_lookup_equals_the_trained_vector(served: Served, name: str, feature: str) -> None:
    width, table = served.width(name, feature), served.tables[name]
    given = np.linspace(-1, 1, width, dtype=np.float32)
    for missing, told in (("initial", "initial"), ("zeros", "zeros"), (given, given.tolist())):
        body = {"decimal_ids": list(map(str, IDS)), "feature": feature, "missing": told}
        answer = served.ask(name, body).json()
        assert answer["dim"] == width
        got = np.array(answer["vectors"], np.float32)
        assert bits(got) == bits(vectors(table, IDS, feature, missing))
        found = [status == "found" for status in answer["status"]]
        assert found == held(table, IDS, feature)
    assert 0 < sum(found), "nothing was trained"


@pytest.mark.parametrize("name", ROW_MAPS)
def test_one_id_and_none_are_answered_like_many(served: Served, name: str) -> None:
    expected = vectors(served.tables[name], IDS, "user", "initial")
    for position in (0, len(SEEN) + 2):
        answer = served.ask(name, IDS[position : position + 1].tobytes(), accept=RAW)
        assert answer.content == expected[position].tobytes()
    empty = served.ask(name, b"", accept=RAW)
    assert (empty.status_code, empty.headers["x-shape"]) == (200, f"0,{served.width(name, 'user')}")


@pytest.mark.parametrize("feature", FEATURES)
def test_every_format_has_the_width_of_the_feature(served: Served, feature: str) -> None:
    name, width = "multiplexed", served.width("multiplexed", feature)
    expected = bits(vectors(served.tables[name], IDS, feature, "initial"))

    def asked(accept: str) -> httpx.Response:
        return served.ask(name, IDS.tobytes(), f"?feature={feature}", accept=accept)

    raw = asked(RAW)
    assert raw.headers["x-shape"] == f"{len(IDS)},{width}"
    assert bits(np.frombuffer(raw.content, "<f4").reshape(-1, width)) == expected
    assert read_found(raw, len(IDS)) == asked("application/json").json()["status"]  # type: ignore[arg-type]
    assert bits(np.load(io.BytesIO(asked("application/x-npy").content))) == expected
    arrow = pa.ipc.open_stream(asked(ARROW).content).read_all()
    assert arrow.schema.field("vector").type.list_size == width
    values = arrow["vector"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    assert bits(values) == expected


def test_features_of_one_table_are_told_apart_in_one_call(served: Served) -> None:
    lookups = [
        {"table": "multiplexed", "ids": [100], "feature": "item"},
        {"table": "multiplexed", "ids": [100]},
        {"table": "hashed", "ids": [100]},
    ]
    raw = served.http.post("/v1/lookup", json={"lookups": lookups}, headers={"accept": RAW})
    assert raw.headers["x-shape"] == "1,12;1,8;1,4"
    table, ids = served.tables["multiplexed"], np.array([100])
    item, user = (vectors(table, ids, feature, "initial") for feature in ("item", "user"))
    assert raw.content[:80] == item.tobytes() + user.tobytes(), "the first feature by default"


def test_an_unknown_feature_is_refused_with_those_there_are(served: Served) -> None:
    asked: list[tuple[Any, str]] = [({"ids": [1], "feature": "usr"}, ""), (b"", "?feature=usr")]
    for body, query in asked:
        reply = served.ask("multiplexed", body, query)
        assert (reply.status_code, reply.json()["code"]) == (404, "unknown_feature")
        assert "did you mean 'user'? known: item, user" in reply.json()["detail"]


def test_the_bodys_feature_stands_before_the_query_parameter(served: Served) -> None:
    reply = served.ask("multiplexed", {"ids": [1], "feature": "item"}, "?feature=user")
    assert reply.json()["dim"] == 12
    reply = served.ask("multiplexed", {"ids": [1]}, "?feature=item")
    assert reply.json()["dim"] == 12


def test_the_vector_for_missing_ids_has_the_width_of_the_feature(served: Served) -> None:
    body = {"ids": [1], "feature": "item", "missing": [0.0] * 8}
    reply = served.ask("multiplexed", body)
    assert reply.status_code == 422
    assert "12 dimensions, the vector for missing ids has 8" in reply.json()["detail"]


def test_ids_without_all_their_rows_are_named(served: Served) -> None:
    name = "multi_chunk"
    reply = served.ask(name, {"ids": [100, *UNSEEN[1:].tolist()], "missing": "error"})
    lacking = [not has for has in held(served.tables[name], UNSEEN[1:], "user")]
    assert reply.json()["ids"] == UNSEEN[1:][lacking].tolist()


def test_a_table_tells_its_row_map_and_the_width_of_each_feature(served: Served) -> None:
    listed = served.http.get("/v1/tables").json()["tables"]
    told = {table["name"]: table for table in listed}
    assert {name: table["row_map"] for name, table in told.items()} == {
        name: row_map.kind for name, row_map in ROW_MAPS.items()
    }
    assert told["multiplexed"]["vector_dims"] == {"user": 8, "item": 12}
    assert (told["multiplexed"]["dim"], told["hashed"]["vector_dims"]["item"]) == (DIM, DIM)
    assert told["graphhash"]["semantic_ids"] is None


def resigned(path: Path, change: Any) -> None:
    """Changes the manifest as a foreign writer would, its checksum set right."""
    values = json.loads((path / "manifest.json").read_text())
    change(values["tables"])
    text = json.dumps({**values, "checksum": "0" * 16}).encode()
    signed = text.replace(b"0" * 16, xxhash.xxh64_hexdigest(text).encode(), 1)
    (path / "manifest.json").write_bytes(signed)


def test_a_map_that_does_not_fit_its_table_is_refused(served: Served, tmp_path: Path) -> None:
    def without_arrays(tables: Any) -> None:
        tables["graphhash"]["row_map"] = None

    def of_another_digest(tables: Any) -> None:
        tables["graphhash"]["config"]["row_map"]["digest"] = "f" * 16

    def with_another_tables_arrays(tables: Any) -> None:
        tables["graphhash"]["row_map"] = tables["frequency"]["row_map"]

    def of_fewer_rows(tables: Any) -> None:
        tables["graphhash"]["config"]["row_map"]["rows"] = 6

    refusals = {
        without_arrays: "a graphhash row map has arrays .*clusters.*, got {}",
        of_another_digest: "expected a graphhash row map with digest f{16}, its arrays have",
        with_another_tables_arrays: "got .*places",
        of_fewer_rows: "graphhash row map of 6 rows has cluster 6; the map does not fit",
    }
    for change, sentence in refusals.items():
        copied = tmp_path / change.__name__ / served.path.name
        shutil.copytree(served.path, copied)
        resigned(copied, change)
        with pytest.raises(SnapshotCorruptError, match=f"table 'graphhash': .*{sentence}"):
            LookupService.open(copied)
    assert "table 'graphhash': " in refused("--snapshot", str(copied))
