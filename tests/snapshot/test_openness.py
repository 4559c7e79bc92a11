"""The files are open: read by the safetensors library, and by ten lines of numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.snapshot import write_snapshot
from tests.snapshot.making import EDGES, planted, saved, table_of


def ten_lines(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    kinds = {"I64": "<i8", "U64": "<u8", "F32": "<f4", "U32": "<u4", "U16": "<u2", "U8": "u1"}
    return {
        name: np.frombuffer(raw[start + t["data_offsets"][0] : start + t["data_offsets"][1]],
                            kinds[t["dtype"]]).reshape(t["shape"])
        for name, t in json.loads(raw[8:start]).items()
    }  # fmt: skip


@given(count=st.integers(0, 30), shards=st.integers(1, 4))
def test_the_safetensors_library_and_numpy_read_the_same(
    tmp_path_factory: Any, count: int, shards: int
) -> None:
    path = saved(tmp_path_factory.mktemp("root"), count=count, shards=shards)
    files = sorted(path.rglob("rows-*.safetensors"))
    assert len(files) == shards
    ids = []
    for file in files:
        ours, theirs = ten_lines(file), safetensors.numpy.load_file(file)
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array, strict=True)
        expected = planted(ours["ids"].tolist())._asdict()
        assert {name: a.tolist() for name, a in ours.items() if not name.startswith("__pad_")} == {
            name: a.tolist() for name, a in expected.items()
        }
        ids += ours["ids"].tolist()
    assert sorted(ids) == list(range(count))


def test_the_safetensors_library_reads_single_tensors_and_the_dense_file(tmp_path: Path) -> None:
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = write_snapshot(tmp_path, {"item": table_of(EDGES)}, dense={"w": weights})
    with safetensors.safe_open(path / "dense.safetensors", "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("w"), weights, strict=True)


def test_checksums_are_those_of_another_implementation(tmp_path: Path) -> None:
    path = saved(tmp_path, shards=1, dense={"w": np.arange(5.0)})
    text = (path / "manifest.json").read_bytes()
    manifest = json.loads(text)
    unsigned = text.replace(manifest["checksum"].encode(), b"0" * 16, 1)
    assert xxhash.xxh64_hexdigest(unsigned) == manifest["checksum"]
    for record in (manifest["dense"], *manifest["tables"]["item"]["shards"]):
        raw = (path / record["file"]).read_bytes()
        start = 8 + int.from_bytes(raw[:8], "little")
        assert xxhash.xxh64_hexdigest(raw[:start]) == record["header"]
        tensors = {n: a for n, a in ten_lines_or_f64(path / record["file"]).items()}
        assert record["checksums"] == {
            name: xxhash.xxh64_hexdigest(array.tobytes())
            for name, array in tensors.items()
            if not name.startswith("__pad_")
        }


def ten_lines_or_f64(path: Path) -> dict[str, Any]:
    return safetensors.numpy.load_file(path)


def test_the_manifest_is_plain_json_a_person_can_read(tmp_path: Path) -> None:
    lines = (saved(tmp_path) / "manifest.json").read_text(encoding="ascii").splitlines()
    assert lines[1].startswith(' "checksum": ')
    assert lines[2] == ' "format": "recsys-embed-snapshot",'
    assert lines[3] == ' "version": 2,'
