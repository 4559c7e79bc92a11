"""What every row map promises, whatever its kind."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.config import from_dict, to_dict
from recsys_embed.row_maps import Learned, RowIds, RowMap, RowMapConfig
from recsys_embed.row_maps.files import read_row_map, write_row_map
from tests.row_maps.making import EXTREMES, FEATURES, KNOWN, LEARNED, ROW_MAPS

ROOT = Path(__file__).resolve().parents[2]
IDS = st.lists(
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([*EXTREMES, *KNOWN.tolist()]), max_size=12
)
EVERY_MAP = pytest.mark.parametrize("name", ROW_MAPS)


@dataclass(frozen=True)
class Holder:
    """A config with a row map in it, as a table's has."""

    row_map: RowMapConfig


def int64s(ids: Any) -> Any:
    return np.array(ids, np.int64)


def rows_by_id(found: RowIds, number: int) -> list[tuple[tuple[int, ...], ...]]:
    """The rows of each id, chunk by chunk, cut apart by the counts."""
    counts = np.broadcast_to(found.per_id, number).tolist()
    ends = np.cumsum(counts).tolist()
    spans = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return [tuple(tuple(chunk[span].tolist()) for chunk in found.rows) for span in spans]


def fingerprint(name: str) -> str:
    """What a map makes of many ids of both features."""
    spread = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 500)
    ids = np.concatenate([KNOWN, int64s(EXTREMES), np.arange(-500, 500), spread])
    found = [rows_by_id(ROW_MAPS[name].map(ids, feature), len(ids)) for feature in FEATURES]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def test_every_kind_is_among_the_maps() -> None:
    assert {type(row_map) for row_map in ROW_MAPS.values()} == set(get_args(RowMapConfig))


def test_every_process_maps_alike() -> None:
    code = (
        "from tests.row_maps.test_contract import *;"
        "print(json.dumps({name: fingerprint(name) for name in ROW_MAPS}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: fingerprint(name) for name in ROW_MAPS}


@EVERY_MAP
@given(ids=IDS, feature=st.sampled_from(FEATURES), data=st.data())
def test_an_id_has_the_rows_it_has_in_any_batch(
    name: str, ids: list[int], feature: str, data: st.DataObject
) -> None:
    row_map: RowMap = ROW_MAPS[name]
    whole = rows_by_id(row_map.map(int64s(ids), feature), len(ids))
    cut = data.draw(st.integers(0, len(ids)))
    parts = [ids[:cut], ids[cut:]]
    halves = [rows_by_id(row_map.map(int64s(part), feature), len(part)) for part in parts]
    assert whole == halves[0] + halves[1]
    alone = [rows_by_id(row_map.map(int64s([i]), feature), 1)[0] for i in ids]
    assert whole == alone


@EVERY_MAP
@given(ids=IDS, feature=st.sampled_from(FEATURES))
def test_shapes_and_rows_are_as_the_protocol_says(name: str, ids: list[int], feature: str) -> None:
    row_map: RowMap = ROW_MAPS[name]
    given_ids = int64s(ids)
    rows, per_id = row_map.map(given_ids, feature)
    assert given_ids.tolist() == ids
    assert rows.dtype == np.int64 and rows.flags.c_contiguous
    assert rows.shape[0] == row_map.chunks(feature)
    if isinstance(per_id, int):
        assert per_id >= 1 and rows.shape[1] == per_id * len(ids)
    else:
        assert per_id.dtype == np.int64 and per_id.shape == (len(ids),)
        assert (per_id >= 1).all() and rows.shape[1] == per_id.sum()
    if row_map.num_rows is not None:
        assert ((rows >= 0) & (rows < row_map.num_rows)).all()


@EVERY_MAP
@pytest.mark.parametrize("ids", [[], [5], list(EXTREMES)])
def test_no_id_one_id_and_the_extremes_have_rows(name: str, ids: list[int]) -> None:
    found = ROW_MAPS[name].map(int64s(ids), FEATURES[0])
    assert len(rows_by_id(found, len(ids))) == len(ids)
    assert all(len(chunk) > 0 for of_id in rows_by_id(found, len(ids)) for chunk in of_id)


@EVERY_MAP
def test_a_map_is_its_config(name: str) -> None:
    row_map = ROW_MAPS[name]
    values = json.loads(json.dumps(to_dict(row_map)))
    again = from_dict(Holder, {"row_map": values}).row_map
    assert again == row_map and type(again) is type(row_map)
    if not isinstance(row_map, Learned):
        ids = int64s(EXTREMES)
        for feature in FEATURES:
            ours, theirs = row_map.map(ids, feature), again.map(ids, feature)
            np.testing.assert_array_equal(ours.rows, theirs.rows)


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_map_is_its_file(name: str, tmp_path: Path) -> None:
    row_map = ROW_MAPS[name]
    write_row_map(tmp_path / "a.rowmap", row_map)
    again = read_row_map(tmp_path / "a.rowmap")
    assert again == row_map and type(again) is type(row_map)
    ids = np.concatenate([KNOWN, int64s(EXTREMES), np.arange(-50, 50)])
    ours, theirs = (rows_by_id(m.map(ids), len(ids)) for m in (row_map, again))
    assert ours == theirs
    write_row_map(tmp_path / "b.rowmap", again)
    assert (tmp_path / "a.rowmap").read_bytes() == (tmp_path / "b.rowmap").read_bytes()
