"""Snapshots are numbered, the newest complete one is found, old ones go, strangers stay."""

import fcntl
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest

from recsys_embed.errors import SnapshotError
from recsys_embed.snapshot import open_snapshot, reader, write_snapshot
from tests.snapshot.making import by_id, names_in, planted, saved, table_of


def test_snapshots_are_numbered_from_one(tmp_path: Path) -> None:
    assert [saved(tmp_path).name for _ in range(3)] == [
        "snapshot-000000000001",
        "snapshot-000000000002",
        "snapshot-000000000003",
    ]


def test_the_newest_keep_snapshots_stay(tmp_path: Path) -> None:
    for _ in range(4):
        saved(tmp_path, keep=10)
    saved(tmp_path, keep=2)
    assert names_in(tmp_path) == ["snapshot-000000000004", "snapshot-000000000005"]


def test_a_directory_of_snapshots_opens_as_its_newest(tmp_path: Path) -> None:
    for salt in range(11):
        write_snapshot(tmp_path, {"item": table_of([1], salt=salt)}, keep=20)
    snapshot = open_snapshot(tmp_path)
    assert snapshot.path.name == "snapshot-000000000011"
    assert by_id(snapshot.tables["item"].rows()) == by_id([planted([1], salt=10)])


def test_no_two_snapshots_have_the_same_version_id(tmp_path: Path) -> None:
    paths = [saved(tmp_path / "a"), saved(tmp_path / "a"), saved(tmp_path / "b")]
    versions = [open_snapshot(path).version_id for path in paths]
    assert len(set(versions)) == 3
    assert [version.partition(":")[2] for version in versions] == ["1", "2", "1"]


def test_what_interrupted_saves_left_goes_and_everything_else_stays(tmp_path: Path) -> None:
    left = [".snapshot-000000000007.writing", ".snapshot-000000000001.removing"]
    strangers = [".snapshot-7.writing", "notes.txt", "snapshot-1", "snapshot-000000000003.bak"]
    for name in left + strangers:
        (tmp_path / name / "tables").mkdir(parents=True)
    saved(tmp_path)
    assert names_in(tmp_path) == sorted([*strangers, "snapshot-000000000001"])


def test_a_copy_under_way_is_not_the_newest_and_its_number_is_not_used_again(
    tmp_path: Path,
) -> None:
    saved(tmp_path)
    (tmp_path / "snapshot-000000000002").mkdir()
    assert open_snapshot(tmp_path).path.name == "snapshot-000000000001"
    assert saved(tmp_path).name == "snapshot-000000000003"


def test_a_second_save_into_the_same_directory_is_refused(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with pytest.raises(SnapshotError, match="another save into .* is under way"):
            saved(tmp_path)
    finally:
        os.close(fd)
    assert saved(tmp_path).exists()


def test_a_save_under_way_is_neither_found_nor_removed_by_another(tmp_path: Path) -> None:
    saved(tmp_path, count=3)
    is_writing, may_go_on = threading.Event(), threading.Event()

    def wait(done: int, total: int) -> None:
        is_writing.set()
        may_go_on.wait()

    save = threading.Thread(target=lambda: saved(tmp_path, count=4, shards=1, progress=wait))
    save.start()
    try:
        is_writing.wait()
        assert open_snapshot(tmp_path).tables["item"].num_rows == 3
        with pytest.raises(SnapshotError, match="under way"):
            saved(tmp_path)
    finally:
        may_go_on.set()
        save.join()
    assert open_snapshot(tmp_path).tables["item"].num_rows == 4


def test_a_snapshot_stays_readable_after_its_directory_has_gone(tmp_path: Path) -> None:
    snapshot = open_snapshot(saved(tmp_path))
    shutil.rmtree(snapshot.path)
    assert by_id(snapshot.tables["item"].rows()) == by_id([planted(range(128))])


def test_a_reader_overtaken_by_removal_opens_the_next_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, count=3)
    real = reader.read_layouts

    def overtaken(directory: Path, manifest: object) -> object:
        monkeypatch.setattr(reader, "read_layouts", real)
        saved(tmp_path, count=4, keep=1)
        return real(directory, manifest)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "read_layouts", overtaken)
    assert open_snapshot(tmp_path).tables["item"].num_rows == 4


def test_an_old_snapshot_that_cannot_be_removed_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(shutil, "rmtree", refuse_to_remove)
        path = saved(tmp_path, keep=1)
    assert path.exists()
    assert "cannot remove the old snapshot" in caplog.text
    saved(tmp_path, keep=1)
    assert names_in(tmp_path) == ["snapshot-000000000003"]


def refuse_to_remove(path: Path, **options: object) -> None:
    raise PermissionError(1, "Operation not permitted", str(path))


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="cannot write a snapshot"):
        saved(tmp_path / "file")
