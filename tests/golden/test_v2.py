"""The snapshot and the row map in v2/ were written once, when row maps came, and are read for ever.

Nothing here may be generated anew: if this test fails, the reader is wrong.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.initializers import Constant
from recsys_embed.optimizers import SGD, Adagrad
from recsys_embed.row_maps import GraphHash, Multiplexed, SemanticId
from recsys_embed.row_maps.files import read_row_map
from recsys_embed.rules import FeatureRule
from recsys_embed.snapshot import Snapshot, open_snapshot
from recsys_embed.table_config import TableConfig

V2 = Path(__file__).parent / "v2"
TABLES = V2 / "snapshot-000000000001" / "tables"
USERS = GraphHash(rows=3, digest="730d8db4ec0e4f4b", seed=5)
ITEMS = SemanticId(
    rows=14,
    digest="6d0b4f0325b99e2a",
    levels=2,
    codes_per_level=3,
    tokens="prefix",
    memorize_rows=2,
    seed=3,
)
POOL = Multiplexed(rows=5, tables=2, lookups=1, lookups_of={"item": 2}, seed=9)
CONFIGS = {
    "user": TableConfig.of("user", 2, optimizer=SGD(), initializer=Constant(0.25), row_map=USERS),
    "item": TableConfig.of(
        "item", 2, optimizer=Adagrad(), initializer=Constant(-1.0), row_map=ITEMS
    ),
    "pool": TableConfig.of(
        "pool",
        2,
        optimizer=SGD(),
        features=(FeatureRule("user"), FeatureRule("item")),
        row_map=POOL,
    ),
}
ROWS = {"user": 3, "item": 14, "pool": 9}  # of the pool's ten, row 9 is absent
CONFIG = (
    '{"kind": "semantic_id", "rows": 14, "digest": "6d0b4f0325b99e2a", "levels": 2,'
    ' "codes_per_level": 3, "tokens": "prefix", "ngram": 2, "memorize_rows": 2, "seed": 3}'
)


@pytest.fixture
def snapshot() -> Snapshot:
    return open_snapshot(V2)


def test_configs_are_read_as_they_were_written(snapshot: Snapshot) -> None:
    assert {name: table.config for name, table in snapshot.tables.items()} == CONFIGS
    assert snapshot.version_id == "c86ad13b-865d-4a6f-acc7-11103c43da06:1"
    assert (snapshot.manifest["version"], snapshot.extra) == (2, {"note": "golden"})


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_read_as_it_was_written(snapshot: Snapshot, name: str) -> None:
    rows = np.arange(ROWS[name])
    columns = {n: shards[0].tolist() for n, shards in snapshot.tables[name].columns.items()}
    state = 2 if name == "item" else 0
    assert columns == {
        "ids": rows.tolist(),
        "weights": [[row + 0.5, -row] for row in rows],
        "state": [[row / 4] * state for row in rows],
        "last_seen": (rows + 1_700_000_000).tolist(),
        "count": (rows + 1).tolist(),
        "feature": [0] * len(rows),
        "seq": (rows + 7).tolist(),
    }


def test_learned_maps_are_read_as_they_were_written(snapshot: Snapshot) -> None:
    users, items = (snapshot.tables[name].config.row_map for name in ("user", "item"))
    assert isinstance(users, GraphHash) and isinstance(items, SemanticId)
    assert {name: array.tolist() for name, array in users.arrays.items()} == {
        "ids": [-7, 10, 30, 2**63 - 1],
        "clusters": [2, 0, 2, 1],
    }
    assert {name: array.tolist() for name, array in items.arrays.items()} == {
        "ids": [7, 8, 9],
        "codes": [[0, 1], [1, 0], [1, 2]],
        "codebooks": [[[0, 0], [8, 0], [0, 8]], [[0, 0], [1, 0], [0, 1]]],
        "encoder": [],
        "encoder_widths": [],
        "piece_codes": [],
        "piece_scores": [],
    }
    assert items.arrays["piece_codes"].shape == (0, 2)


def test_clusters_answer_by_id_known_or_not(snapshot: Snapshot) -> None:
    answer = snapshot.tables["user"].lookup([10, 30, -7, 2**63 - 1, 99, -1])
    rows = [0, 2, 2, 1, 2, 2]  # the last two by hashing
    np.testing.assert_array_equal(answer.values, [[row + 0.5, -row] for row in rows])
    assert answer.found.all()


def test_semantic_ids_answer_by_id_and_by_contents(snapshot: Snapshot) -> None:
    item = snapshot.tables["item"]
    rows = [(0, 4, 13), (1, 6, 12), (1, 8, 12), (1, 8, 13), (1, 7, 12)]  # the last two hashed
    answer = item.lookup([7, 8, 9, 100, -1])
    np.testing.assert_array_equal(answer.values, [[sum(r) + 1.5, -sum(r)] for r in rows])
    row_map = item.config.row_map
    assert isinstance(row_map, SemanticId)
    codes = row_map.encode([[8.25, 0.875], [0, 0]])
    assert codes.tolist() == [[1, 2], [0, 0]]
    assert row_map.rows_of_codes(codes).rows.tolist() == [[1, 8, 0, 3]]


def test_a_pool_answers_by_id_and_feature(snapshot: Snapshot) -> None:
    pool = snapshot.tables["pool"]
    of_user = pool.lookup([7, 8, -1], feature="user").values
    np.testing.assert_array_equal(of_user, [[4.5, -4], [1.5, -1], [3.5, -3]])
    answer = pool.lookup([7, 8, -1], feature="item", missing="zeros")
    expected = [[8.5, -8, 2.5, -2], [0, 0, 3.5, -3], [7.5, -7, 1.5, -1]]
    np.testing.assert_array_equal(answer.values, expected)
    assert answer.found.tolist() == [True, False, True]


def test_the_restored_tables_go_on_from_there(snapshot: Snapshot) -> None:
    user, item = (snapshot.tables[name].restore() for name in ("user", "item"))
    for table, i, rows in ((user, 30, [2]), (item, 7, [0, 4, 13])):
        found = table.train_lookup(np.array([i]), time=1_700_000_100)
        np.testing.assert_array_equal(found.values, [[sum(rows) + len(rows) / 2, -sum(rows)]])
    assert len(user) == 3 and len(item) == 14


def test_a_row_map_file_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    items = read_row_map(V2 / "items.rowmap")
    assert items == ITEMS == snapshot.tables["item"].config.row_map
    ids = np.array([7, 8, 9, 100, -1])
    assert items.map(ids).rows.tolist() == [[0, 4, 13, 1, 6, 12, 1, 8, 12, 1, 8, 13, 1, 7, 12]]


def padded(text: bytes) -> bytes:
    head = text + b" " * (-(8 + len(text)) % 64)
    return len(head).to_bytes(8, "little") + head


def test_the_arrays_of_clusters_are_these_very_bytes() -> None:
    header = {
        "ids": {"dtype": "I64", "shape": [4], "data_offsets": [0, 32]},
        "__pad_clusters": {"dtype": "U8", "shape": [32], "data_offsets": [32, 64]},
        "clusters": {"dtype": "U32", "shape": [4], "data_offsets": [64, 80]},
    }
    ids = bytes.fromhex("f9ffffffffffffff 0a00000000000000 1e00000000000000 ffffffffffffff7f")
    clusters = bytes.fromhex("02000000 00000000 02000000 01000000")
    text = json.dumps(header, separators=(",", ":")).encode()
    file = TABLES / "user" / "row_map.safetensors"
    assert file.read_bytes() == padded(text) + ids.ljust(64, b"\0") + clusters


def test_a_row_map_file_is_its_config_and_the_same_arrays() -> None:
    raw = (V2 / "items.rowmap").read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8:start])
    assert entries["config"] == {"dtype": "U8", "shape": [163], "data_offsets": [0, 163]}
    assert raw[start : start + 163].decode() == CONFIG
    beside = (TABLES / "item" / "row_map.safetensors").read_bytes()
    of_beside = 8 + int.from_bytes(beside[:8], "little")
    for name, entry in json.loads(beside[8:of_beside]).items():
        if not name.startswith("__pad_"):
            (a, b), (c, d) = entry["data_offsets"], entries[name]["data_offsets"]
            assert beside[of_beside + a : of_beside + b] == raw[start + c : start + d]
