"""A save that is interrupted, at any moment and by anything, leaves the snapshots before it."""

import errno
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.errors import SnapshotError
from recsys_embed.snapshot import open_snapshot, write_snapshot
from recsys_embed.snapshot.files import FilePlan, write_files
from recsys_embed.snapshot.layout import Tensor, layout
from tests.snapshot.making import by_id, generation, names_in, planted, table_of

KILLS = int(os.environ.get("RECSYS_KILLS", "15"))
ROOT = Path(__file__).resolve().parents[2]
CALLS = ("mkdir", "open", "pwrite", "fsync", "rename", "unlink", "rmdir")


class Crash(BaseException):
    """The machine stops: no handler runs to any effect."""


def crash_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> Callable[[], int]:
    """Lets `moment` calls that change the disk through, and none after; returns their counter."""
    made = 0

    def guard(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            made += 1
            if made > moment:
                raise Crash
            return real(*arguments, **options)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, guard(getattr(os, name)))
    return lambda: made


def test_a_crash_at_any_call_leaves_one_or_the_other_snapshot(tmp_path: Path) -> None:
    moment, has_finished = 0, False
    while not has_finished:
        root = tmp_path / str(moment)
        write_snapshot(root, {"item": table_of(range(5))}, extra={"salt": 0})
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, moment)
            try:
                write_snapshot(
                    root, {"item": table_of(range(5), salt=1)}, extra={"salt": 1}, keep=1
                )
                has_finished = True
            except Crash:
                pass
        found = open_snapshot(root)
        salt = found.extra["salt"]
        assert by_id(found.tables["item"].rows()) == by_id([planted(range(5), salt=salt)])
        after = write_snapshot(root, {"item": table_of(range(5), salt=2)}, keep=1)
        assert names_in(root) == [after.name]
        moment += 1
    assert moment > 20, "the calls that this test interrupts were not made"


def test_kill_9_at_any_moment_leaves_every_finished_snapshot_readable(tmp_path: Path) -> None:
    chance = random.Random(9)
    finished = 0
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.snapshot.saving", str(tmp_path), str(finished + 1)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0, 0.15))
            process.kill()
            reported = process.stdout.read().split()
        opened = [open_snapshot(path) for path in sorted(tmp_path.glob("snapshot-*"))]
        assert 1 <= len(opened) <= 3
        newest = generation(open_snapshot(tmp_path))
        assert newest == max(generation(snapshot) for snapshot in opened)
        assert newest >= max(map(int, reported), default=finished), "a reported save is gone"
        assert newest > finished
        finished = newest


def refuse(code: int, after: int) -> Callable[..., int]:
    """A `pwrite` that writes `after` times and then fails as the system would."""
    real, calls = os.pwrite, iter(range(after))

    def pwrite(fd: int, data: Any, offset: int) -> int:
        if next(calls, None) is None:
            raise OSError(code, os.strerror(code))
        return real(fd, data, offset)

    return pwrite


@pytest.mark.parametrize("after", [0, 1, 5, 20])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failing_disk_leaves_no_partial_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, after: int
) -> None:
    write_snapshot(tmp_path, {"item": table_of(range(5))})
    monkeypatch.setattr(os, "pwrite", refuse(code, after))
    with pytest.raises(
        SnapshotError,
        match=rf"cannot write a snapshot of [\d,]+ bytes into .*: {os.strerror(code)}"
        r" \([\d,]+ bytes are free\); the snapshots before it are untouched",
    ):
        write_snapshot(tmp_path, {"item": table_of(range(300), salt=1)}, shards=4)
    assert names_in(tmp_path) == ["snapshot-000000000001"]
    assert by_id(open_snapshot(tmp_path).tables["item"].rows()) == by_id([planted(range(5))])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system takes rights that this machine does not give")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_leaves_no_partial_snapshot(small_disk: Path) -> None:
    write_snapshot(small_disk, {"item": table_of(range(5))})
    with pytest.raises(SnapshotError, match=r"No space left on device \([\d,]+ bytes are free\)"):
        write_snapshot(small_disk, {"item": table_of(range(50_000))}, shards=2)
    assert names_in(small_disk) == ["snapshot-000000000001"]
    assert len(open_snapshot(small_disk).tables["item"].restore()) == 5


def test_a_limit_on_file_sizes_leaves_no_partial_snapshot(tmp_path: Path) -> None:
    write_snapshot(tmp_path, {"item": table_of(range(5))})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SnapshotError, match="File too large"):
            write_snapshot(tmp_path, {"item": table_of(range(50_000))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(tmp_path) == ["snapshot-000000000001"]


def test_a_system_that_writes_little_at_a_time_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:7], offset))
    write_snapshot(tmp_path, {"item": table_of(range(20))})
    assert by_id(open_snapshot(tmp_path).tables["item"].rows()) == by_id([planted(range(20))])


def test_every_file_and_directory_is_on_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(fd: int) -> None:
        events.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    def watched_rename(source: Any, target: Any) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    root = tmp_path / "new" / "root"
    path = write_snapshot(root, {"item": table_of(range(5))}, shards=2, dense={"w": np.ones(3)})
    at = events.index("rename")
    hidden = root / f".{path.name}.writing"
    inside = {hidden / file.relative_to(path) for file in path.rglob("*")} | {hidden}
    assert {str(file) for file in inside} <= set(events[:at])
    assert str(root) in events[at:]
    assert {str(tmp_path), str(tmp_path / "new")} <= set(events[:at])


def test_the_first_error_stops_the_other_files(tmp_path: Path) -> None:
    plan = layout({"x": Tensor(np.dtype("<f4"), (1,))})
    nothing, taken = np.zeros(0, np.float32), []

    def fail() -> Iterator[tuple[str, Any]]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
        yield

    def go_on() -> Iterator[tuple[str, Any]]:
        for number in range(10**6):
            taken.append(number)
            yield "x", nothing

    plans = [FilePlan("a", plan, fail), FilePlan("b", plan, go_on)]
    with pytest.raises(OSError, match="Input/output error"):
        write_files(tmp_path, plans, 2, None)
    assert len(taken) < 10**6


def test_an_error_in_the_callers_progress_leaves_no_partial_snapshot(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(tmp_path, {"item": table_of(range(5))}, progress=stop)
    assert names_in(tmp_path) == []
