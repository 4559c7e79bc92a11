"""The deltas in delta_v1/ were written once and are read for ever.

Nothing here may be generated anew: if this test fails, the reader is wrong.
"""

from pathlib import Path

import numpy as np

from recsys_embed.deltas import Delta, decode, encode

LINEAGE = "d4a1b3d7-af77-426a-8163-0cfe42285d18"
FOLDER = Path(__file__).parent / "delta_v1"
COUNTERS = {
    "admitted": 9,
    "filtered": 8,
    "expired": 3,
    "evicted": 1,
    "deleted": 1,
    "dropped_gradients": 2,
}


def golden(name: str) -> tuple[bytes, Delta]:
    data = (FOLDER / f"{name}.delta").read_bytes()
    return data, decode(data)


def test_a_delta_for_serving_is_read_as_it_was_written() -> None:
    data, delta = golden("serving")
    assert (delta.lineage, delta.number, delta.prev, delta.token) == (LINEAGE, 8, 7, 3)
    assert (delta.created_s, delta.extra) == (1_700_000_100.25, {"offset": 77, "note": "golden"})
    item, user, shop = (delta.tables[name] for name in ("item", "user/näme", "shop"))
    assert (item.config, item.codec, item.dim) == ("00112233445566aa", "int8", 3)
    assert (item.prev_seq, item.seq, item.clock_s) == (40, 44, 1_700_000_100)
    assert item.ids.tolist() == [0, -1, 2**63 - 1]
    assert item.weights.tolist() == [[63.5, -32, 0.5], [0, 0, 0], [-31.75, 0.75, 0.5]]
    assert item.tombstones.tolist() == [-(2**63), 9, 10]
    assert item.reasons.tolist() == [1, 2, 3]
    assert item.training is user.training is shop.training is None
    assert (user.weights.shape, user.prev_seq, user.seq) == ((0, 2), 7, 7)
    assert (shop.ids.tolist(), shop.weights.tolist()) == ([5], [[1.5, -0.25]])
    weight, step = delta.dense["tower.0.weight"], delta.dense["step"]
    np.testing.assert_array_equal(weight, np.float32([[0, 1, 2], [3, 4, 5]]), strict=True)
    np.testing.assert_array_equal(step, np.array(12345, np.int64), strict=True)
    assert encode(delta) == data


def test_a_delta_with_training_state_is_read_as_it_was_written() -> None:
    data, delta = golden("training")
    item = delta.tables["item"]
    assert (delta.number, delta.prev, item.prev_seq, item.seq) == (9, 8, 44, 47)
    assert item.ids.tolist() == [7, -3292477735350538661]  # the last is XXH64("a")
    assert item.weights.tolist() == [[0.5, -0.25, 1], [4.5, -4.25, 0.0625]]
    assert item.training is not None
    assert {name: array.tolist() for name, array in item.training.columns.items()} == {
        "state": [[0, 1, 2, 3], [40, 41, 42, 43]],
        "last_seen": [1_700_000_100, 1_700_000_004],
        "count": [1, 5],
        "feature": [1, 0],
        "seq": [45, 47],
    }
    assert item.training.counters == COUNTERS
    assert {name: array.tolist() for name, array in item.training.admission.items()} == {
        "ids": [5, -7],
        "counts": [1, 2],
        "last_seen": [1_700_000_050, 1_700_000_060],
    }
    assert encode(delta) == data
