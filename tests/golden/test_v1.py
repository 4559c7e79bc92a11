"""The snapshot in v1/ was written once, by the first release, and is read for ever.

Nothing here may be generated anew: if this test fails, the reader is wrong.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.initializers import Constant, Normal, Uniform
from recsys_embed.optimizers import FTRL, SGD, Adagrad
from recsys_embed.row_maps import Hashed
from recsys_embed.rules import Admission, Budget, FeatureRule
from recsys_embed.snapshot import Snapshot, open_snapshot
from recsys_embed.table_config import Segment, TableConfig

V1 = Path(__file__).parent / "v1"
SHARD = V1 / "snapshot-000000000001" / "tables" / "item" / "rows-00001-of-00002.safetensors"
ITEM = TableConfig(
    "item",
    (
        Segment(1, FTRL(l1=0.5), Constant(0.25)),
        Segment(2, Adagrad(initial_accumulator=0.125), Uniform(-0.5, 0.5)),
    ),
    features=(FeatureRule("shown", threshold=3, ttl_s=86_400), FeatureRule("bought")),
    budget=Budget(max_rows=1000, policy="lfu"),
    seed=7,
)
USER = TableConfig.of(
    "user/näme",
    4,
    optimizer=SGD(),
    initializer=Normal(std=0.5),
    clock="wall",
    row_map=Hashed(rows=4, seed=1),
    admission=Admission("sketch", width=4, depth=2),
)
ROWS = {
    "ids": [0, -1, 2**63 - 1, -(2**63), -3292477735350538661],  # the last is XXH64("a")
    "weights": [
        [0.5, -0.25, 1.0],
        [1.5, -1.25, 0.5],
        [2.5, -2.25, 0.25],
        [3.5, -3.25, 0.125],
        [4.5, -4.25, 0.0625],
    ],
    "state": [
        [0, 1, 2, 3],
        [10, 11, 12, 13],
        [20, 21, 22, 23],
        [30, 31, 32, 33],
        [40, 41, 42, 43],
    ],
    "last_seen": [1700000000, 1700000001, 1700000002, 1700000003, 1700000004],
    "count": [1, 2, 3, 4, 5],
    "feature": [0, 1, 0, 1, 0],
    "seq": [40, 41, 42, 43, 44],
}


@pytest.fixture
def snapshot() -> Snapshot:
    return open_snapshot(V1)


def test_every_row_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    columns = snapshot.tables["item"].columns
    assert {n: np.concatenate(shards).tolist() for n, shards in columns.items()} == ROWS
    assert [len(shard) for shard in columns["ids"]] == [3, 2]


def test_configs_are_read_as_they_were_written(snapshot: Snapshot) -> None:
    assert {name: table.config for name, table in snapshot.tables.items()} == {
        "item": ITEM,
        "user/näme": USER,
    }


def test_the_moment_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    item = snapshot.tables["item"]
    assert (item.num_rows, item.seq, item.clock_s) == (5, 44, 1_700_000_100)
    assert item.counters == {
        "admitted": 9,
        "filtered": 8,
        "expired": 3,
        "evicted": 1,
        "deleted": 0,
        "dropped_gradients": 2,
    }
    assert {name: array.tolist() for name, array in item.admission.items()} == {
        "ids": [5, -7],
        "counts": [1, 2],
        "last_seen": [1700000050, 1700000060],
    }
    assert snapshot.tables["user/näme"].admission["cells"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_the_rest_is_read_as_it_was_written(snapshot: Snapshot) -> None:
    assert snapshot.version_id == "d4a1b3d7-af77-426a-8163-0cfe42285d18:1"
    assert snapshot.manifest["created"] == "2026-11-20T19:06:35+00:00"
    assert snapshot.extra == {"note": "golden", "epoch": 3}
    weight, step = snapshot.dense["tower.0.weight"], snapshot.dense["step"]
    np.testing.assert_array_equal(weight, np.float32([[1, -2, 3], [4, 5, -6]]), strict=True)
    np.testing.assert_array_equal(step, np.array(12345, np.int64), strict=True)


def test_the_restored_table_goes_on_from_there(snapshot: Snapshot) -> None:
    table = snapshot.tables["item"].restore()
    np.testing.assert_array_equal(table.lookup(np.array(ROWS["ids"])), ROWS["weights"])
    assert table.stats().filtered == 8
    table.train_lookup(np.array([-7]), feature="shown", time=1_700_000_100)  # the third occurrence
    assert -7 in table
    assert len(snapshot.tables["user/näme"].restore()) == 0


def test_lookups_answer_by_id_and_by_string(snapshot: Snapshot) -> None:
    item = snapshot.tables["item"]
    np.testing.assert_array_equal(item.lookup(["a"]).values, [[4.5, -4.25, 0.0625]])
    answer = item.lookup([2**63 - 1, 99], missing="zeros")
    np.testing.assert_array_equal(answer.values, [[2.5, -2.25, 0.25], [0, 0, 0]])
    np.testing.assert_array_equal(answer.found, [True, False])


def test_a_shard_is_these_very_bytes() -> None:
    header = {
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},
        "__pad_weights": {"dtype": "U8", "shape": [48], "data_offsets": [16, 64]},
        "weights": {"dtype": "F32", "shape": [2, 3], "data_offsets": [64, 88]},
        "__pad_state": {"dtype": "U8", "shape": [40], "data_offsets": [88, 128]},
        "state": {"dtype": "F32", "shape": [2, 4], "data_offsets": [128, 160]},
        "__pad_last_seen": {"dtype": "U8", "shape": [32], "data_offsets": [160, 192]},
        "last_seen": {"dtype": "U32", "shape": [2], "data_offsets": [192, 200]},
        "__pad_count": {"dtype": "U8", "shape": [56], "data_offsets": [200, 256]},
        "count": {"dtype": "U32", "shape": [2], "data_offsets": [256, 264]},
        "__pad_feature": {"dtype": "U8", "shape": [56], "data_offsets": [264, 320]},
        "feature": {"dtype": "U16", "shape": [2], "data_offsets": [320, 324]},
        "__pad_seq": {"dtype": "U8", "shape": [60], "data_offsets": [324, 384]},
        "seq": {"dtype": "U64", "shape": [2], "data_offsets": [384, 400]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    head = text + b" " * (-(8 + len(text)) % 64)
    data = b"".join(
        bytes.fromhex(column).ljust(width, b"\0")
        for column, width in [
            ("0000000000000080 5b6e8ca9f1c44ed2", 64),
            ("00006040 000050c0 0000003e 00009040 000088c0 0000803d", 64),
            ("0000f041 0000f841 00000042 00000442 00002042 00002442 00002842 00002c42", 64),
            ("03f15365 04f15365", 64),
            ("04000000 05000000", 64),
            ("0100 0000", 64),
            ("2b00000000000000 2c00000000000000", 16),
        ]
    )
    assert SHARD.read_bytes() == len(head).to_bytes(8, "little") + head + data
