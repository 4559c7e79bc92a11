"""What every transport of a delta log promises, in a directory and in a real Redis alike."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from recsys_embed.delta_log import Base, DeltaLog, RedisLog, Writer, open_log
from recsys_embed.errors import (
    DuplicateEntryError,
    FencedError,
    ForeignLogError,
    GapError,
    InputError,
    LogNotFoundError,
    TrimmedError,
    WriterHeldError,
)
from tests.delta_log.places import LINEAGE, OTHER, Place, base, content, expected, fill, read_all


def test_what_is_appended_is_read_in_order(place: Place) -> None:
    log = place.log()
    sizes = [0, 1, 1 << 20, (1 << 20) + 1, 5 << 19, 3]
    with log.open_writer(LINEAGE) as writer:
        for number, nbytes in enumerate(sizes, 1):
            writer.append(number, number - 1, content(number, nbytes))
    found = list(log.read(0, lineage=LINEAGE))
    assert [(e.number, e.prev) for e in found] == [(n, n - 1) for n in range(1, 7)]
    assert [e.data for e in found] == [content(n, size) for n, size in enumerate(sizes, 1)]
    assert [frame.nbytes for frame in log.frames(0)] == sizes
    assert [e.frame for e in found] == list(log.frames(0))
    assert read_all(log, 4) == [(5, content(5, sizes[4])), (6, content(6, 3))]
    assert read_all(log, 6) == []


def test_the_head_tells_lineage_number_token_and_trim(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        head = log.head()
        assert (head.lineage, head.number, head.token, head.trimmed) == (LINEAGE, 0, 1, 0)
        assert head.base == Base()
        fill(writer, 5)
        writer.trim(2, base(4))
    head = log.head()
    assert (head.lineage, head.number, head.token, head.trimmed) == (LINEAGE, 5, 1, 2)
    assert head.base == base(4)


@pytest.mark.parametrize(
    "ask",
    [
        lambda log: log.head(),
        lambda log: list(log.read(0, lineage=LINEAGE)),
        lambda log: list(log.frames(0)),
        lambda log: log.lags(),
    ],
)
def test_a_log_that_was_not_begun_is_named(place: Place, ask: Callable[[DeltaLog], object]) -> None:
    with pytest.raises(LogNotFoundError, match="holds no delta log|there is none"):
        ask(place.log())


def test_numbering_goes_on_with_the_next_writer(place: Place) -> None:
    log = place.log()
    for first, last in [(0, 2), (2, 2), (2, 5)]:
        with log.open_writer(LINEAGE, base=base(first)) as writer:
            fill(writer, last)
    assert read_all(log) == expected(1, 5)
    assert log.head().token == 3


def test_a_reader_sees_each_entry_once_whatever_is_appended_between(
    place: Place, rng: np.random.Generator
) -> None:
    log, seen = place.log(), list[int]()
    with log.open_writer(LINEAGE) as writer:
        for count, reads in zip(rng.integers(0, 4, 12), rng.integers(0, 2, 12), strict=True):
            fill(writer, writer.number + int(count))
            if reads:
                seen += [number for number, _ in read_all(log, max(seen, default=0))]
        seen += [number for number, _ in read_all(log, max(seen, default=0))]
    assert seen == list(range(1, writer.number + 1))


# Writers


@pytest.mark.parametrize(("number", "prev"), [(5, 4), (9, 8)])
def test_an_append_that_leaves_a_gap_is_refused(place: Place, number: int, prev: int) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 3)
        with pytest.raises(GapError, match="the log ends with entry 3; append entry 4 first"):
            writer.append(number, prev, b"")
        with pytest.raises(InputError, match="number: expected 4, behind prev = 3, got 5"):
            writer.append(5, 3, b"")
        fill(writer, 4)
    assert read_all(log) == expected(1, 4)


def test_the_last_entry_may_be_appended_again_and_no_other(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 3)
        writer.append(3, 2, content(3))
        for number, data in [(3, b"others"), (2, content(2)), (1, b"")]:
            with pytest.raises(DuplicateEntryError, match=f"entry {number} is in the log"):
                writer.append(number, number - 1, data)
    with log.open_writer(LINEAGE, base=base(3)) as writer:
        writer.append(3, 2, content(3))
        with pytest.raises(DuplicateEntryError):
            writer.append(3, 2, b"others")
    assert read_all(log) == expected(1, 3)


def test_a_second_writer_is_refused_while_the_first_lives(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        if isinstance(log, RedisLog):
            time.sleep(1.2)  # longer than its lease: it was renewed
        for lineage in (LINEAGE, OTHER):
            with pytest.raises(WriterHeldError, match="with token 1; stop it, wait"):
                log.open_writer(lineage)
        fill(writer, 2)
    with log.open_writer(LINEAGE, base=base(2)) as second:
        assert second.token == 2


def test_a_second_writer_may_wait_for_the_first(place: Place) -> None:
    log = place.log()
    first = log.open_writer(LINEAGE)
    timer = threading.Timer(0.2, first.close)
    timer.start()
    with log.open_writer(LINEAGE, wait_s=5) as second:
        assert second.token == 2
    timer.join()


def test_a_writer_that_was_taken_over_is_fenced(place: Place) -> None:
    log = place.log()
    first = log.open_writer(LINEAGE)
    fill(first, 2)
    second = log.open_writer(LINEAGE, base=base(2), take_over=True)
    for refused in (lambda: fill(first, 3), lambda: first.trim(1, base(2))):
        with pytest.raises(FencedError, match=r"token 1 of this writer, found 2 of .*; stop this"):
            refused()
    fill(second, 3)
    first.close()  # takes nothing away from the second
    with pytest.raises(WriterHeldError):
        log.open_writer(LINEAGE, base=base(3))
    fill(second, 4)
    second.close()
    assert read_all(log) == expected(1, 4)


def test_only_one_of_many_writers_at_once_gets_the_log(place: Place) -> None:
    where = place.new()
    got: list[Writer | WriterHeldError] = []

    def open_one() -> None:
        try:
            got.append(open_log(where).open_writer(LINEAGE))
        except WriterHeldError as error:
            got.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writers = [found for found in got if isinstance(found, Writer)]
    assert (len(writers), len(got)) == (1, 8)
    writers[0].close()


def test_threads_may_share_a_writer(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        refused = []

        def append(number: int) -> None:
            while writer.number < number:
                try:
                    writer.append(number, number - 1, content(number))
                except GapError as error:
                    refused.append(error)
                    time.sleep(0.001)

        threads = [threading.Thread(target=append, args=(n,)) for n in (4, 3, 2, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read_all(log) == expected(1, 4)


def test_a_closed_writer_writes_no_more(place: Place) -> None:
    log = place.log()
    writer = log.open_writer(LINEAGE)
    fill(writer, 1)
    writer.close()
    writer.close()
    for refused in (lambda: fill(writer, 2), lambda: writer.trim(1, base(1))):
        with pytest.raises(InputError, match="this writer is closed; open another"):
            refused()
    assert read_all(log) == expected(1, 1)


# Lineages


def test_a_fork_under_the_same_lineage_is_refused(place: Place) -> None:
    log = place.filled(5)
    for number in (0, 3, 6):
        with pytest.raises(ForeignLogError, match="ends with entry 5 .* take a new lineage"):
            log.open_writer(LINEAGE, base=base(number))
    assert read_all(log) == expected(1, 5)


@pytest.mark.parametrize("covered", [0, 2, 5])
def test_a_trainer_that_applied_what_is_behind_its_snapshot_goes_on_at_the_head(
    place: Place, covered: int
) -> None:
    log = place.filled(5)
    with log.open_writer(LINEAGE, base=base(3), number=5) as writer:
        fill(writer, 6)
    with log.open_writer(LINEAGE, base=base(covered), number=6) as writer:
        fill(writer, 7)
    assert read_all(log) == expected(1, 7)
    assert log.head().base == base(max(3, covered))  # never an older one than is known


def test_a_number_that_is_not_the_head_is_a_fork(place: Place) -> None:
    log = place.filled(5)
    for number in (3, 4, 6):
        with pytest.raises(ForeignLogError, match=f"ends with entry 5 .* that of entry {number}"):
            log.open_writer(LINEAGE, base=base(3), number=number)
    with pytest.raises(InputError, match="expected at least 3, .* got 2"):
        log.open_writer(LINEAGE, base=base(3), number=2)
    assert read_all(log) == expected(1, 5)


def test_a_new_lineage_begins_right_behind_its_base(place: Place) -> None:
    log = place.filled(5)
    with pytest.raises(InputError, match="entries up to 6 behind the base, entry 5, are nowhere"):
        log.open_writer(OTHER, base=base(5), number=6)
    assert read_all(log) == expected(1, 5)


@pytest.mark.parametrize("number", [0, 3, 5, 9])
def test_another_lineage_begins_the_log_anew(place: Place, number: int) -> None:
    log = place.filled(5)
    reader = log.read(1, lineage=LINEAGE, wait_s=5)
    assert next(reader).number == 2
    with log.open_writer(OTHER, base=base(number)) as writer:
        assert (writer.number, writer.token) == (number, 2)
        fill(writer, number + 2)
    assert read_all(log, number, OTHER) == expected(number + 1, number + 2)
    start = f"start from snapshot {base(number).snapshot}" if number else "start from empty tables"
    with pytest.raises(ForeignLogError, match=f"expected the lineage {LINEAGE}.*{start}"):
        read_all(log, number)
    with pytest.raises(ForeignLogError, match="begun it anew"):
        list(reader)
    assert [entry for entry, _ in place.raw(log)] == [number + 1, number + 2]
    assert log.head().base == base(number)


@pytest.mark.parametrize("number", [2, 5, 7])
def test_a_lineage_that_comes_back_begins_behind_its_base(place: Place, number: int) -> None:
    log = place.filled(5)
    log.open_writer(OTHER).close()
    with log.open_writer(LINEAGE, base=base(number)) as writer:
        assert (writer.number, log.head().number, read_all(log, number)) == (number, number, [])
        fill(writer, number + 1)
    assert read_all(log, number) == expected(number + 1, number + 1)


@pytest.mark.parametrize("lineage", ["", "shop", "1b4e28ba", None])
def test_a_lineage_is_a_uuid(place: Place, lineage: str) -> None:
    with pytest.raises(InputError, match="lineage: expected a uuid"):
        place.log().open_writer(lineage)


def test_a_base_beyond_nothing_names_its_snapshot() -> None:
    for number, snapshot in [(3, ""), (-1, "x")]:
        with pytest.raises(InputError, match="base: expected a number of at least 0"):
            Base(number, snapshot)


# Reading


def test_a_reader_waits_for_what_comes(place: Place) -> None:
    log = place.filled(1)
    with log.open_writer(LINEAGE, base=base(1)) as writer:
        timer = threading.Timer(0.15, fill, (writer, 3))
        timer.start()
        reader = log.read(1, lineage=LINEAGE, wait_s=5)
        assert [next(reader).number, next(reader).number] == [2, 3]
        timer.join()
        began = time.monotonic()
        assert list(log.read(3, lineage=LINEAGE, wait_s=0.2)) == []
        assert 0.2 <= time.monotonic() - began < 2


def test_a_reader_ahead_of_the_log_is_told(place: Place) -> None:
    with pytest.raises(GapError, match="ends with entry 3, before entry 4 .* older state"):
        read_all(place.filled(3), after=4)


# Trimming


def test_a_reader_behind_the_trim_is_told_which_snapshot_covers_it(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 8)
        writer.trim(5, base(7))
        for after in (0, 4):
            with pytest.raises(TrimmedError, match="up to 5 are gone") as error:
                read_all(log, after)
            assert (error.value.snapshot, error.value.number) == (base(7).snapshot, 7)
        assert read_all(log, error.value.number) == expected(8, 8)
        assert read_all(log, 5) == expected(6, 8)
        assert [number for number, _ in place.raw(log)] == [6, 7, 8]
        fill(writer, 9)
    assert read_all(log, 7) == expected(8, 9)


def test_a_reader_that_the_trim_overtakes_is_told(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 30)
        reader = log.read(0, lineage=LINEAGE)
        assert next(reader).number == 1
        writer.trim(30, base(30))
        with pytest.raises(TrimmedError, match="up to 30 are gone"):
            list(reader)


@pytest.mark.parametrize(("number", "covered"), [(4, 3), (6, 6), (1, 0), (3, 9)])
def test_only_what_a_snapshot_covers_is_trimmed(place: Place, number: int, covered: int) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 5)
        with pytest.raises(InputError, match=f"cannot trim up to entry {number}: .*covers entry"):
            writer.trim(number, base(covered))
    assert read_all(log) == expected(1, 5)


def test_trims_go_forward_alone(place: Place) -> None:
    log = place.log()
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 6)
        for number, covered, trimmed, kept in [(4, 5, 4, 5), (2, 3, 4, 5), (0, 6, 4, 6)]:
            writer.trim(number, base(covered))
            assert (log.head().trimmed, log.head().base) == (trimmed, base(kept))
        writer.trim(6, base(6))
    assert (log.head().number, read_all(log, 6)) == (6, [])
    with log.open_writer(LINEAGE, base=base(6)) as writer:
        fill(writer, 7)
    assert read_all(log, 6) == expected(7, 7)


# Replicas


def test_replicas_acknowledge_and_lag_is_told_in_entries_and_seconds(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, now = place.log(), 1_000_000.0
    with log.open_writer(LINEAGE) as writer:
        for number in range(1, 5):
            monkeypatch.setattr(time, "time", lambda s=now + 10 * number: s)
            fill(writer, number)
    monkeypatch.setattr(time, "time", lambda: now + 100)
    for name, number in {"near": 4, "far": 0, "mid.dle-1": 2}.items():
        log.acknowledge(name, number, lineage=LINEAGE)
    log.acknowledge("lost", 2, lineage=OTHER)
    log.acknowledge("ahead", 9, lineage=LINEAGE)
    lags = {name: (lag.entries, lag.seconds) for name, lag in log.lags().items()}
    assert lags == {
        "near": (0, 0.0),
        "far": (4, 90.0),
        "mid.dle-1": (2, 70.0),
        "lost": (None, None),
        "ahead": (None, None),
    }
    assert log.replicas()["near"].time_s == now + 100
    log.acknowledge("far", 3, lineage=LINEAGE)
    log.forget("lost")
    log.forget("never-seen")
    assert (log.lags()["far"].entries, log.lags()["far"].seconds) == (1, 60.0)
    assert sorted(log.replicas()) == ["ahead", "far", "mid.dle-1", "near"]


def test_a_clock_that_jumps_back_makes_no_lag_negative(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock = place.log(), [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        clock[0] = 400.0
        fill(writer, 2)
    with log.open_writer(LINEAGE, base=base(2)) as writer:
        fill(writer, 3)
    assert [frame.created_s for frame in log.frames(0)] == [1000.0, 1000.0, 1000.0]
    log.acknowledge("a", 1, lineage=LINEAGE)
    assert (log.lags()["a"].entries, log.lags()["a"].seconds) == (2, 0.0)
    clock[0] = 1500.0
    assert log.lags()["a"].seconds == 500.0


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b", "ä", "a" * 65])
def test_a_replicas_name_is_plain(place: Place, name: str) -> None:
    log = place.filled(1)
    with pytest.raises(InputError, match="replica: expected 1 to 64"):
        log.acknowledge(name, 1, lineage=LINEAGE)
    assert log.replicas() == {}
