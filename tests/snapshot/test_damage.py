"""Whatever happens to the bytes of a snapshot, it is refused in words before anything is loaded."""

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import (
    SnapshotCorruptError,
    SnapshotError,
    SnapshotNotFoundError,
    SnapshotVersionError,
)
from recsys_embed.snapshot import open_snapshot
from tests.snapshot.making import saved

SHARD = "tables/item/rows-00001-of-00002.safetensors"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    return saved(tmp_path, dense={"w": np.ones((2, 2))})


def rewrite(path: Path, edit: Edit) -> None:
    """Changes the manifest and signs it anew: what a foreign writer, not bad luck, would do."""
    values = json.loads(path.read_text())
    edit(values)
    values["checksum"] = "0" * 16
    text = json.dumps(values).encode()
    path.write_bytes(text.replace(b"0" * 16, xxhash.xxh64_hexdigest(text).encode(), 1))


@given(data=st.data())
def test_every_flipped_bit_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = saved(tmp_path_factory.mktemp("root"), count=3, dense={"w": np.ones((2, 2))})
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    with pytest.raises(SnapshotError, match=re.escape(str(file))):
        open_snapshot(directory)


@given(data=st.data())
def test_every_truncation_is_found_even_without_checksums(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = saved(tmp_path_factory.mktemp("root"), count=3, dense={"w": np.ones((2, 2))})
    files = sorted(file for file in directory.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(SnapshotCorruptError, match=re.escape(str(file))):
        open_snapshot(directory, verify=False)


def test_a_flipped_bit_names_file_and_tensor_and_both_checksums(snapshot: Path) -> None:
    content = bytearray((snapshot / SHARD).read_bytes())
    content[-1] ^= 1  # seq is the last tensor
    (snapshot / SHARD).write_bytes(content)
    with pytest.raises(
        SnapshotCorruptError,
        match=rf"{SHARD}: tensor 'seq': expected the checksum [0-9a-f]{{16}}, found [0-9a-f]{{16}}",
    ):
        open_snapshot(snapshot)


def test_a_truncated_file_names_both_sizes(snapshot: Path) -> None:
    size = (snapshot / SHARD).stat().st_size
    (snapshot / SHARD).write_bytes((snapshot / SHARD).read_bytes()[:-1])
    with pytest.raises(
        SnapshotCorruptError, match=f"{SHARD}: expected {size} bytes, found {size - 1}"
    ):
        open_snapshot(snapshot)


def test_a_missing_file_is_named(snapshot: Path) -> None:
    (snapshot / SHARD).unlink()
    with pytest.raises(SnapshotCorruptError, match=f"{SHARD} is missing"):
        open_snapshot(snapshot)


def test_two_shards_that_changed_places_are_found(snapshot: Path) -> None:
    one, other = snapshot / SHARD, snapshot / SHARD.replace("00001-", "00000-")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    with pytest.raises(SnapshotCorruptError, match="expected the checksum"):
        open_snapshot(snapshot)


def test_a_snapshot_without_a_manifest_is_not_complete(snapshot: Path) -> None:
    (snapshot / "manifest.json").unlink()
    with pytest.raises(SnapshotCorruptError, match="manifest.json is missing"):
        open_snapshot(snapshot)
    with pytest.raises(SnapshotNotFoundError, match="no complete snapshot"):
        open_snapshot(snapshot.parent)


@pytest.mark.parametrize("name", ["nothing", "nothing/snapshot-000000000001"])
def test_a_path_that_does_not_exist_is_said_not_to(tmp_path: Path, name: str) -> None:
    with pytest.raises(SnapshotNotFoundError, match="is not a directory"):
        open_snapshot(tmp_path / name)


def test_an_empty_directory_holds_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFoundError, match="holds no complete snapshot"):
        open_snapshot(tmp_path)


def test_a_newer_version_is_refused_by_its_number(snapshot: Path) -> None:
    rewrite(snapshot / "manifest.json", lambda m: m.update(version=3, novelty={}))
    with pytest.raises(SnapshotVersionError, match="reads versions up to 2 .* found version 3"):
        open_snapshot(snapshot)


def test_another_format_is_refused_by_its_name(snapshot: Path) -> None:
    rewrite(snapshot / "manifest.json", lambda m: m.update(format="parquet"))
    with pytest.raises(SnapshotCorruptError, match="expected the format .* found 'parquet'"):
        open_snapshot(snapshot)


def test_a_manifest_of_another_dimension_names_tensor_and_both_shapes(snapshot: Path) -> None:
    def widen(manifest: dict[str, Any]) -> None:
        manifest["tables"]["item"]["config"]["segments"][0]["dim"] = 5

    rewrite(snapshot / "manifest.json", widen)
    with pytest.raises(
        SnapshotCorruptError,
        match=r"tensor 'weights': expected float32 \[64, 5\], found float32 \[64, 3\]",
    ):
        open_snapshot(snapshot)


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "tables/../../outside", "", "a\\b", "a\0b", ".."],
)
def test_a_file_outside_the_snapshot_is_refused(snapshot: Path, name: str) -> None:
    (snapshot.parent / "outside").write_bytes((snapshot / SHARD).read_bytes())
    rewrite(
        snapshot / "manifest.json",
        lambda m: m["tables"]["item"]["shards"][1].update(file=name),
    )
    with pytest.raises(SnapshotCorruptError, match="inside the snapshot"):
        open_snapshot(snapshot)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda m: m.update(novelty=1), "no key 'novelty'"),
        (lambda m: m.pop("tables"), "needs 'tables'"),
        (
            lambda m: m["tables"]["item"].update(num_rows=129),
            "expected 129 rows, its shards have 128",
        ),
        (lambda m: m["tables"]["item"].update(num_rows="128"), "num_rows must be a int"),
        (lambda m: m["tables"]["item"]["shards"].pop(), "its shards have 64"),
        (lambda m: m["tables"]["item"]["shards"][0].update(rows=-1), "0 or more rows"),
        (lambda m: m["tables"]["item"]["shards"][0].update(header="xyz"), "16 hexadecimal"),
        (
            lambda m: m["tables"]["item"]["shards"][0]["checksums"].pop("ids"),
            "expected the tensors",
        ),
        (lambda m: m["tables"]["item"]["config"].update(colour=1), "no key 'colour'"),
        (lambda m: m["tables"]["item"]["config"]["segments"][0].update(dim=0), "Segment.dim"),
        (lambda m: m.update(dense=[]), "dense must be"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    snapshot: Path, edit: Edit, sentence: str
) -> None:
    rewrite(snapshot / "manifest.json", edit)
    with pytest.raises(SnapshotCorruptError, match=sentence):
        open_snapshot(snapshot)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{", b"\xff", b"NaN", b'{"checksum": 1}', b"[" * 100_000]
)
def test_a_manifest_that_is_no_object_is_refused(snapshot: Path, text: bytes) -> None:
    (snapshot / "manifest.json").write_bytes(text)
    with pytest.raises(SnapshotCorruptError, match=r"manifest\.json"):
        open_snapshot(snapshot)


def header_of(entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        (10**9).to_bytes(8, "little") + b"{}",
        header_of([]),
        header_of({"w": 1}),
        header_of({"w": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 31]}}) + bytes(31),
        header_of({"w": {"dtype": "F64", "shape": [2, 2], "data_offsets": [8, 40]}}) + bytes(40),
        header_of({"w": {"dtype": "F99", "shape": [2, 2], "data_offsets": [0, 32]}}) + bytes(32),
        header_of({"w": {"dtype": "F64", "shape": [-2, -2], "data_offsets": [0, 32]}}) + bytes(32),
        header_of({"w": {"dtype": "F64", "shape": [2.0, 2], "data_offsets": [0, 32]}}) + bytes(32),
        header_of({"w": {"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 32]}}) + bytes(33),
    ],
)
def test_a_foreign_file_with_a_bad_header_is_refused(snapshot: Path, content: bytes) -> None:
    (snapshot / "dense.safetensors").write_bytes(content)
    rewrite(snapshot / "manifest.json", lambda m: m["dense"].update(bytes=len(content)))
    with pytest.raises(
        SnapshotCorruptError, match=r"dense\.safetensors: the header (is|describes)"
    ):
        open_snapshot(snapshot)


def test_a_digit_changed_in_the_manifest_is_found(snapshot: Path) -> None:
    text = (snapshot / "manifest.json").read_text()
    assert '"clock_s": 0,' in text
    (snapshot / "manifest.json").write_text(text.replace('"clock_s": 0,', '"clock_s": 1,'))
    with pytest.raises(SnapshotCorruptError, match=r"manifest\.json: expected the checksum"):
        open_snapshot(snapshot)


def test_a_bad_sector_is_named_with_its_tensor(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, buffers: object, offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(
        SnapshotCorruptError, match="tensor 'ids' cannot be read: Input/output error"
    ):
        open_snapshot(snapshot)


def test_a_snapshot_that_may_not_be_read_is_named(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SnapshotError, match=r"cannot read .*manifest\.json: Permission denied"):
        open_snapshot(snapshot)
