"""Directories: crashes between any two calls, full disks, damaged records, files of others."""

import errno
import os
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recsys_embed.delta_log import DirectoryLog
from recsys_embed.delta_log.directory_files import moment, stamp
from recsys_embed.errors import (
    DamagedEntryError,
    DuplicateEntryError,
    FencedError,
    LogNotFoundError,
    LogUnavailableError,
)
from tests.delta_log.places import LINEAGE, OTHER, base, content, expected, fill, read_all

CALLS = ("open", "fsync", "replace", "unlink", "mkdir")


class Crash(BaseException):
    """The machine stops: no handler runs to any effect."""


def crash_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Lets `step` calls that change the disk through, and none after."""
    made = 0

    def guard(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            made += 1
            if made > step:
                raise Crash
            return real(*arguments, **options)

        return call

    for name in CALLS:
        patch.setattr(os, name, guard(getattr(os, name)))


def change(log: DirectoryLog) -> None:
    """Every kind of change: open, append, trim, acknowledge."""
    with log.open_writer(LINEAGE, base=base(log.head().number)) as writer:
        fill(writer, 6)
        writer.trim(5, base(6))
        log.acknowledge("a", 6, lineage=LINEAGE)
        fill(writer, 8)


def test_a_crash_at_any_call_leaves_a_log_that_goes_on(folder: Path) -> None:
    step, has_finished = 0, False
    while not has_finished:
        log = DirectoryLog(folder / str(step))
        with log.open_writer(LINEAGE) as writer:
            fill(writer, 4)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, step)
            try:
                change(log)
                has_finished = True
            except Crash:
                pass
        head = log.head()
        assert (head.trimmed, head.base) in [(0, base(0)), (0, base(4)), (5, base(6))]
        assert 4 <= head.number <= 8
        assert read_all(log, head.trimmed) == expected(head.trimmed + 1, head.number)
        change_again = log.open_writer(LINEAGE, base=base(head.number))
        fill(change_again, 9)
        change_again.close()
        assert read_all(log, head.trimmed) == expected(head.trimmed + 1, 9)
        assert not list(log.path.glob(".*"))
        assert len(list(log.path.iterdir())) == 9 - head.trimmed + 3
        step += 1
    assert step > 20, "the calls that this test interrupts were not made"


def test_every_file_is_on_disk_before_its_rename_and_its_name_after_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, events = DirectoryLog(folder / "log"), list[tuple[str, str]]()
    fsync, replace = os.fsync, os.replace

    def watched_fsync(fd: int) -> None:
        events.append(("fsync", str(Path(f"/proc/self/fd/{fd}").readlink())))
        fsync(fd)

    def watched_replace(source: Any, target: Any) -> None:
        events.append(("rename", str(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 2)
        writer.trim(1, base(2))
    log.acknowledge("a", 2, lineage=LINEAGE)
    renames = [at for at, (kind, _) in enumerate(events) if kind == "rename"]
    assert len(renames) == 5  # the record, two entries, the record, the acknowledgement
    for at in renames:
        hidden = events[at][1]
        assert events[at - 1] == ("fsync", hidden)
        assert events[at + 1] == ("fsync", str(Path(hidden).parent))
    assert ("fsync", str(folder)) in events[: renames[0]]


def test_a_head_that_is_asked_for_during_a_trim_is_that_of_one_moment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recsys_embed.delta_log import directory

    log = DirectoryLog(folder)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 3)
        find = directory.entries_in

        def trimming(*arguments: Any) -> dict[int, Path]:
            monkeypatch.setattr(directory, "entries_in", find)
            writer.trim(3, base(3))
            return find(*arguments)

        monkeypatch.setattr(directory, "entries_in", trimming)
        assert (log.head().number, log.head().trimmed) == (3, 3)


def test_an_idle_log_is_not_read_again_and_a_changed_one_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, writing = DirectoryLog(folder), DirectoryLog(folder)
    with writing.open_writer(LINEAGE) as writer:
        fill(writer, 2)
        for path in (folder, folder / "log.json"):
            os.utime(path, (1000, 1000))
        assert log.head().number == 2
        with monkeypatch.context() as patch:
            patch.setattr("recsys_embed.delta_log.directory.entries_in", None)
            assert [log.head().number for _ in range(3)] == [2, 2, 2]
        fill(writer, 3)
        assert log.head().number == 3
        writer.trim(1, base(3))
        assert log.head().trimmed == 1
        fill(writer, 4)  # within the same tick as what was read before
        assert log.head().number == 4
    (folder / "log.json").unlink()
    with pytest.raises(LogNotFoundError):
        log.head()


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


def test_a_full_disk_refuses_the_entry_and_takes_it_after_a_trim(small_disk: Path) -> None:
    log, last = DirectoryLog(small_disk / "log"), 0
    with log.open_writer(LINEAGE) as writer:
        with pytest.raises(
            LogUnavailableError,
            match=r"cannot append entry \d+ of 100,000 bytes to .*No space left on device"
            r" \([\d,]+ bytes are free\); the entries before are untouched",
        ):
            while True:
                writer.append(last + 1, last, content(last + 1, 100_000))
                last += 1
        assert last >= 5
        assert len(read_all(log)) == last
        assert not list(log.path.glob(".*"))
        (small_disk / "rest").write_bytes(b"")
        with pytest.raises(OSError, match="No space"):
            (small_disk / "rest").write_bytes(bytes(1 << 20))
        writer.trim(3, base(last))  # needs room to make room
        (small_disk / "rest").unlink()
        writer.append(last + 1, last, content(last + 1, 100_000))
    assert [number for number, _ in read_all(log, 3)] == list(range(4, last + 2))


def test_a_limit_on_file_sizes_refuses_the_entry(folder: Path) -> None:
    log = DirectoryLog(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(LogUnavailableError, match="File too large"):
                writer.append(3, 2, bytes(1 << 20))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(folder.glob(".*"))
        fill(writer, 3)
    assert read_all(log) == expected(1, 3)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_an_error_after_the_rename_leaves_the_entry_to_be_appended_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    log = DirectoryLog(folder)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)

        def refuse(path: Path) -> None:
            raise OSError(code, os.strerror(code))

        name = "recsys_embed.delta_log.directory_writer.fsync_directory"
        with monkeypatch.context() as patch:
            patch.setattr(name, refuse)
            with pytest.raises(LogUnavailableError, match=os.strerror(code)):
                fill(writer, 2)
        with pytest.raises(DuplicateEntryError, match="entry 2 is there with other bytes"):
            writer.append(2, 1, b"others")
        fill(writer, 3)
    assert read_all(log) == expected(1, 3)


def test_a_directory_that_another_process_holds_for_long_is_told(folder: Path) -> None:
    with (
        moment(folder),
        pytest.raises(LogUnavailableError, match=r"has held .* for 0\.05 s; is it paused"),
        moment(folder, wait_s=0.05),
    ):
        pass


@pytest.mark.parametrize("byte", [0, 20, 60, 150, -2])
def test_a_record_whose_bytes_have_changed_is_refused(folder: Path, byte: int) -> None:
    log = DirectoryLog(folder)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        path = folder / "log.json"
        data = bytearray(path.read_bytes())
        for damaged in (data[: len(data) // 2], data[:byte] + b"~" + data[byte:][1:]):
            path.write_bytes(damaged)
            for asked in (log.head, lambda: fill(writer, 2), lambda: read_all(log)):
                with pytest.raises(DamagedEntryError, match=re.escape(str(path))):
                    asked()
        path.write_bytes(data)
        fill(writer, 2)


def test_a_record_of_a_newer_format_is_refused(folder: Path) -> None:
    from recsys_embed.delta_log import directory_record

    log = DirectoryLog(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory_record, "VERSION", 2)
        log.open_writer(LINEAGE).close()
    with pytest.raises(DamagedEntryError, match=r"version 1, found \('recsys-embed-delta-log', 2"):
        log.head()


def test_a_directory_that_vanished_is_told(folder: Path) -> None:
    log = DirectoryLog(folder / "log")
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        log.path.rename(folder / "elsewhere")
        with pytest.raises(LogNotFoundError, match="holds no delta log"):
            fill(writer, 2)
        with log.open_writer(LINEAGE) as second, pytest.raises(FencedError):
            (folder / "elsewhere").exists()
            assert second.token == writer.token  # the tokens began anew; the identity has not
            fill(writer, 2)


def test_entries_without_their_record_do_not_follow_a_base(folder: Path) -> None:
    log = DirectoryLog(folder)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 5)
    (folder / "log.json").unlink()
    with pytest.raises(LogNotFoundError):
        log.acknowledge("a", 1, lineage=LINEAGE)
    with log.open_writer(LINEAGE, base=base(3)) as writer:
        assert (writer.number, read_all(log, 3)) == (3, [])


def test_files_of_others_are_left_alone(folder: Path) -> None:
    others = ["notes.txt", "5.delta", "000000000005-xyz.delta", f"{5:012d}-1b4e28ba.delta.bak"]
    for name in others:
        (folder / name).write_text("mine")
    log = DirectoryLog(folder)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 2)
    assert read_all(log) == expected(1, 2)
    with log.open_writer(OTHER):
        pass
    assert all((folder / name).exists() for name in others)


def test_a_damaged_acknowledgement_is_told(folder: Path) -> None:
    log = DirectoryLog(folder)
    log.open_writer(LINEAGE).close()
    for text in ("", "[]", '{"number": 1}'):
        (folder / "replicas" / "a.json").write_text(text)
        with pytest.raises(DamagedEntryError, match=r"a\.json: expected an acknowledgement"):
            log.replicas()


def test_within_a_tick_nothing_is_certain_also_once_the_clock_has_gone_back(folder: Path) -> None:
    record, now_s = folder / "log.json", time.time()
    record.touch()
    for ago_s, at_s, is_certain in ((9, 9, True), (0, 9, False), (9, 0, False), (0, -3600, False)):
        os.utime(record, (now_s - at_s, now_s - at_s))
        os.utime(folder, (now_s - ago_s, now_s - ago_s))
        assert (stamp(folder) is not None) is is_certain
