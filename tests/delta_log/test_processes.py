"""Writers that are killed or paused at any moment, as processes of their own."""

import os
import random
import signal
import time

import pytest

from recsys_embed.delta_log import DeltaLog, DirectoryLog, open_log
from recsys_embed.delta_log.directory_files import flocked
from recsys_embed.errors import WriterHeldError
from tests.delta_log.appending import LEASE_S, Appending, planted
from tests.delta_log.places import LINEAGE, Place, base

KILLS = int(os.environ.get("RECSYS_KILLS", "20"))


def test_kill_9_at_any_moment_leaves_whole_entries_and_numbering_goes_on(place: Place) -> None:
    where, chance, last = place.new(), random.Random(9), 0
    log = open_log(where)
    for _ in range(KILLS):
        with Appending(where) as process:
            assert process.hear() == last + 1
            time.sleep(chance.uniform(0, 0.04))
            process.kill()
            told = max([last + 1, *process.rest()])
        found = list(log.read(last, lineage=LINEAGE))
        assert [e.number for e in found] == list(range(last + 1, log.head().number + 1))
        assert all(e.data == planted(e.number) for e in found)
        assert told <= log.head().number <= told + 1  # one may stand that was not told any more
        last = log.head().number
    numbers = [e.number for e in log.read(0, lineage=LINEAGE)]
    assert numbers == list(range(1, last + 1))
    assert log.head().token == KILLS


def test_a_killed_writer_leaves_no_rubbish_behind_the_next(place: Place) -> None:
    where = place.new()
    for _ in range(3):
        with Appending(where) as process:
            process.hear()
    log = open_log(where, lease_s=LEASE_S)
    last = log.head().number
    with log.open_writer(LINEAGE, base=base(last), wait_s=5) as writer:
        writer.append(last + 1, last, b"")
        stored = [(number, len(data)) for number, data in place.raw(log)]
    assert [number for number, _ in stored] == list(range(1, last + 2))
    if isinstance(log, DirectoryLog):
        assert sorted(path.name for path in log.path.glob(".*")) == []
        assert len(list(log.path.glob("writer-*.lock"))) == 1


def pause(process: Appending, log: DeltaLog) -> None:
    """Stops a process where it is, but not within the moment that it holds a directory."""
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.02)
        if not isinstance(log, DirectoryLog):
            return
        fd = os.open(log.path, os.O_RDONLY)
        is_free = flocked(fd)
        os.close(fd)
        if is_free:
            return
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.005)


def test_a_paused_writer_is_fenced_when_it_wakes(place: Place) -> None:
    where = place.new()
    log = open_log(where)
    with Appending(where, lease_s=30) as process:
        process.hear()
        pause(process, log)
        with pytest.raises(WriterHeldError):
            log.open_writer(LINEAGE)
        last = log.head().number
        with log.open_writer(LINEAGE, base=base(last), take_over=True) as writer:
            writer.append(last + 1, last, b"mine")
            os.kill(process.pid, signal.SIGCONT)
            while isinstance(said := process.hear(), int):
                assert said <= last
            assert said == "FencedError"
            writer.append(last + 2, last + 1, b"mine")
    data = [e.data for e in log.read(0, lineage=LINEAGE)]
    assert data == [planted(n) for n in range(1, last + 1)] + [b"mine", b"mine"]
