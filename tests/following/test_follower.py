"""What a follower serves is one entry's, never an older one after a newer, whatever comes."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recsys_embed.delta_log import Base, DirectoryLog, open_log
from recsys_embed.deltas import encode
from serving.following import upkeep
from tests.delta_log.places import Place
from tests.following.publishing import Trainer, check, following, reached, until
from tests.redis_server import RedisServer


@pytest.mark.parametrize("options", [{}, {"state": True}], ids=["serving", "training"])
def test_entries_are_served_as_they_come(place: Place, tmp_path: Path, options: Any) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path, **options)
    trainer.publish(3)
    with following(log) as f:
        f.reach(trainer)
        for _ in range(5):
            trainer.publish()
            f.reach(trainer)
        assert (f.standing.reason, f.standing.applied, f.standing.resyncs) == (None, 8, 0)
        until(lambda: f.standing.lag_entries == 0 and f.standing.lag_seconds == 0)
        until(lambda: log.lags()["replica-1"].entries == 0)
    assert [check(service)[1] for service in f.services] == sorted(
        int(service.version.partition(":")[2]) for service in f.services
    )


def test_every_answer_is_of_the_version_it_names_while_entries_come(
    place: Place, tmp_path: Path
) -> None:
    log, seen, stop = place.log(), list[tuple[str, int]](), threading.Event()
    trainer = Trainer(log, tmp_path)
    with following(log) as f:
        f.reach(trainer)

        def ask() -> None:
            while not stop.is_set():
                seen.append(check(f.services[-1]))

        with asking(ask, stop):
            for number in range(60):
                trainer.publish(1 + number % 3)
                if number % 25 == 9:
                    trainer.base()
            f.reach(trainer)
    assert len(set(seen)) > 3
    assert [number for _, number in seen] == sorted(number for _, number in seen)


class asking:
    """A thread that asks meanwhile; what it finds wrong is raised at the end."""

    def __init__(self, ask: Any, stop: threading.Event) -> None:
        self.stop, self.failure = stop, None

        def run() -> None:
            try:
                ask()
            except BaseException as error:
                self.failure = error

        self.thread = threading.Thread(target=run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        if self.failure is not None:
            raise self.failure


def test_a_newer_snapshot_takes_the_place_of_the_layers(place: Place, tmp_path: Path) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    with following(log) as f:
        trainer.publish(5)
        f.reach(trainer)
        first = f.standing.layer_bytes
        for _ in range(3):
            trainer.publish(4)
            base = trainer.base()
            trainer.publish(1)
            until(lambda base=base: f.standing.snapshot == str(base))
            f.reach(trainer)
        assert f.standing.base == trainer.number - 1
        assert f.standing.layer_bytes <= first
        assert (f.standing.resyncs, f.standing.reason) == (0, None)


def test_a_newer_snapshot_that_cannot_be_caught_up_from_is_passed_over(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    with following(log) as f:
        trainer.publish(3)
        path = trainer.save()
        trainer.publish(2)
        f.reach(trainer)
        entries = place.raw(log)
        place.rewrite(log, [*entries[:3], (4, flipped(entries[3][1])), entries[4]])
        trainer.writer.trim(0, Base(3, str(path)))
        until(lambda: f"passes over {path}" in caplog.text)
        assert (f.standing.number, f.standing.base) == (5, 0)
        place.rewrite(log, entries)
        trainer.publish(1)
        f.reach(trainer)
        numbers = [check(service)[1] for service in f.services]
        assert numbers == sorted(numbers)


def test_a_follower_whose_entries_are_trimmed_begins_anew_by_itself(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    with following(log) as f:
        f.reach(trainer)
        stalled, now = log.head(), log.head
        monkeypatch.setattr(log, "head", lambda: stalled)
        trainer.publish(6)
        trainer.base(trim=5)
        trainer.publish(2)
        monkeypatch.setattr(log, "head", now)
        f.reach(trainer)
        assert f.standing.resyncs == 1
        assert "begins anew from" in caplog.text and "TrimmedError" not in caplog.text


def test_a_follower_goes_over_to_another_lineage(place: Place, tmp_path: Path) -> None:
    log = place.log()
    one = Trainer(log, tmp_path / "one", at=9)
    one.publish(3)
    with following(log) as f:
        f.reach(one)
        two = Trainer(log, tmp_path / "two", at=4)
        f.reach(two)
        two.publish(2)
        f.reach(two)
        assert f.standing.resyncs == 1


BAD = {
    "damaged": lambda trainer: flipped(encode(trainer.step())),
    "truncated": lambda trainer: encode(trainer.step())[:-9],
    "a gap": lambda trainer: encode(edited(trainer.step(), prev_seq=99, seq=99)),
    "the delta of another entry": lambda trainer: encode(replace(trainer.step(), number=9)),
    "a delta again": lambda trainer: encode(replace(trainer.step(), number=1, prev=0)),
    "foreign": lambda trainer: encode(replace(trainer.step(), lineage="x")),
    "another config": lambda trainer: encode(edited(trainer.step(), config="0" * 16)),
    "no delta": lambda trainer: b"what is this",
}


def flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def edited(delta: Any, **values: Any) -> Any:
    return replace(delta, tables={n: replace(t, **values) for n, t in delta.tables.items()})


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_entry_is_refused_by_name_and_a_newer_snapshot_heals(
    place: Place, tmp_path: Path, kind: str
) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    trainer.publish(2)
    with following(log) as f:
        f.reach(trainer)
        good = reached(trainer)
        data, entry = BAD[kind](trainer), good[1] + 1
        trainer.writer.append(entry, entry - 1, data)
        until(lambda: f.standing.reason)
        assert f.standing.reason.startswith("DeltaError: ")
        until(lambda: f.standing.lag_entries == 1 and f.standing.lag_seconds > 0)
        assert check(f.services[-1]) == good
        trainer.number = entry
        trainer._write()
        trainer.cursors = {name: table.seq for name, table in trainer.tables.items()}
        trainer.base()
        f.reach(trainer)
        trainer.publish()
        f.reach(trainer)
        until(lambda: f.standing.reason is None)
        assert f.standing.resyncs == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda e: [*e[:3], (4, flipped(e[3][1])), e[4]], "DamagedEntryError"),
        (lambda e: [*e[:3], (4, e[3][1][:-5]), e[4]], "DamagedEntryError"),
        (lambda e: [*e[:3], e[4]], "GapError"),
        (lambda e: [*e[:3], (4, e[0][1]), e[4]], "DuplicateEntryError"),
        (lambda e: [*e[:3], (4, e[4][1]), e[4]], "GapError"),
    ],
    ids=["flipped", "truncated", "missing", "twice", "out of order"],
)
def test_a_log_that_was_tampered_with_is_followed_up_to_there(
    place: Place, tmp_path: Path, change: Any, name: str
) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    trainer.publish(5)
    place.rewrite(log, change(place.raw(log)))
    with following(log) as f:
        until(lambda: f.standing.reason)
        assert f.standing.reason.startswith(name)
        assert check(f.services[-1]) == (trainer.lineage, 3)
        trainer.base()
        f.reach(trainer)


def test_a_log_begun_later_is_waited_for(place: Place, tmp_path: Path) -> None:
    log = place.log()
    with following(log) as f:
        until(lambda: f.standing.reason)
        assert f.standing.reason.startswith("LogNotFoundError")
        assert f.services == []
        trainer = Trainer(log, tmp_path)
        f.reach(trainer)


def test_a_snapshot_that_is_not_the_logs_is_refused(place: Place, tmp_path: Path) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    trainer.publish(2)
    trainer.writer.trim(0, Base(1, str(trainer.save())))
    with following(log) as f:
        until(lambda: f.standing.reason)
        assert "expected the snapshot of entry 1 of" in f.standing.reason
        assert f.services == []


def test_snapshots_are_found_by_name_in_a_folder_of_ones_own(place: Place, tmp_path: Path) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path / "there")
    trainer.publish(2)
    shutil.copytree(tmp_path / "there", tmp_path / "here")
    shutil.rmtree(tmp_path / "there")
    with following(log, folder=tmp_path / "here") as f:
        f.reach(trainer)


def test_without_a_log_the_snapshot_at_hand_is_served(tmp_path: Path) -> None:
    log = DirectoryLog(tmp_path / "log")
    trainer = Trainer(log, tmp_path / "root")
    trainer.publish(2)
    shutil.move(tmp_path / "log", tmp_path / "away")
    with following(open_log(tmp_path / "log"), folder=tmp_path / "root") as f:
        until(lambda: f.services)
        assert f.standing.reason.startswith("LogNotFoundError")
        assert check(f.services[-1]) == (trainer.lineage, 0)
        shutil.move(tmp_path / "away", tmp_path / "log")
        f.reach(trainer)
        until(lambda: f.standing.reason is None)


def test_a_late_follower_takes_entries_together(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = place.log()
    trainer = Trainer(log, tmp_path)
    monkeypatch.setattr(upkeep, "SHARE", 0)
    trainer.publish(40)
    with following(log) as f:
        f.reach(trainer)
        assert f.standing.layers <= 3
        assert len(f.services) < 10


def test_a_server_that_pauses_or_dies_is_waited_for_and_one_that_lost_all_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    log = open_log(f"{server.url}/shop", timeout_s=0.2)
    trainer = Trainer(log, tmp_path / "root")
    with following(open_log(f"{server.url}/shop", timeout_s=0.2)) as f:
        f.reach(trainer)
        server.pause()
        until(lambda: f.standing.reason)
        assert f.standing.reason.startswith("LogUnavailableError")
        assert check(f.services[-1]) == reached(trainer)
        until(lambda: f.standing.lag_seconds > 0)
        server.resume()
        trainer.publish(2)
        f.reach(trainer)
        until(lambda: f.standing.reason is None and f.standing.lag_seconds == 0)
        server.kill()
        server.start()  # and has nothing any more
        until(lambda: str(f.standing.reason).startswith("LogNotFoundError"))
        assert check(f.services[-1]) == reached(trainer)
        other = Trainer(log, tmp_path / "other")
        f.reach(other)
        until(lambda: f.standing.reason is None)
    server.kill()


def test_a_log_restored_from_an_older_state_is_refused_until_it_is_newer(tmp_path: Path) -> None:
    log = DirectoryLog(tmp_path / "log")
    trainer = Trainer(log, tmp_path / "root")
    trainer.publish(2)
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    trainer.publish(2)
    with following(log) as f:
        f.reach(trainer)
        shutil.move(tmp_path / "log", tmp_path / "newer")
        shutil.move(tmp_path / "older", tmp_path / "log")
        until(lambda: str(f.standing.reason).startswith("GapError"))
        assert check(f.services[-1]) == (trainer.lineage, 4)
        other = Trainer(log, tmp_path / "other", at=2)
        f.reach(other)
        assert f.standing.resyncs == 1
