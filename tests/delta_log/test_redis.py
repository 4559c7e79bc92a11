"""A Redis that is paused, killed, emptied, full or unreachable: bounded waits and clear errors."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from recsys_embed.delta_log import DeltaLog, RedisLog, Writer
from recsys_embed.delta_log.redis_writer import CHUNK_BYTES
from recsys_embed.errors import (
    ConfigError,
    FencedError,
    GapError,
    InputError,
    LogNotFoundError,
    LogUnavailableError,
    TrimmedError,
    WriterHeldError,
)
from tests.delta_log.places import LINEAGE, OTHER, base, content, expected, fill, read_all
from tests.redis_server import RedisServer

TIMEOUT_S = 0.25


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, which forgets everything when it ends."""
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def log(server: RedisServer) -> Iterator[RedisLog]:
    log = RedisLog(server.url, "shop", timeout_s=TIMEOUT_S, lease_s=30)
    yield log
    log.close()


ASKED: dict[str, Callable[[DeltaLog, Writer], object]] = {
    "head": lambda log, writer: log.head(),
    "read": lambda log, writer: list(log.read(0, lineage=LINEAGE, wait_s=60)),
    "append": lambda log, writer: fill(writer, 4),
    "trim": lambda log, writer: writer.trim(1, base(3)),
    "acknowledge": lambda log, writer: log.acknowledge("a", 1, lineage=LINEAGE),
    "replicas": lambda log, writer: log.replicas(),
    "open": lambda log, writer: log.open_writer(OTHER, wait_s=60),
}


@pytest.mark.parametrize("name", ASKED)
def test_whatever_a_paused_server_is_asked_fails_in_time_and_works_when_it_wakes(
    server: RedisServer, log: RedisLog, name: str
) -> None:
    writer = log.open_writer(LINEAGE)
    fill(writer, 3)
    server.pause()
    began = time.monotonic()
    with pytest.raises(LogUnavailableError, match=r"waited up to 0\.25 s.*same call may be made"):
        ASKED[name](log, writer)
    assert time.monotonic() - began < 10 * TIMEOUT_S
    server.resume()
    fill(writer, 5)
    assert read_all(log) == expected(1, 5)
    writer.close()


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("pauses", [1, 2])
def test_an_append_that_timed_out_and_is_repeated_stands_once(
    server: RedisServer, log: RedisLog, chunks: int, pauses: int
) -> None:
    data = content(4, chunks * CHUNK_BYTES)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 3)
        for _ in range(pauses):  # what was asked waits in the server's sockets, and is done late
            server.pause()
            with pytest.raises(LogUnavailableError):
                writer.append(4, 3, data)
            server.resume()
        writer.append(4, 3, data)
        writer.append(5, 4, content(5))
    assert read_all(log) == [*expected(1, 3), (4, data), *expected(5, 5)]
    with redis.Redis.from_url(server.url) as client:
        assert client.xlen(f"recsys:{{shop}}:entries:{LINEAGE}") == 3 * 2 + chunks + 1 + 2


def test_a_pause_in_the_middle_of_an_entry_shows_no_half_of_it(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content(2, 3 * CHUNK_BYTES)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        run, made = log._connection.script, 0

        def pausing(*arguments: object) -> list[object]:
            nonlocal made
            made += 1
            if made == 3:
                server.pause()
            return run(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(log._connection, "script", pausing)
        with pytest.raises(LogUnavailableError):
            writer.append(2, 1, data)
        server.resume()
        assert read_all(log)[:1] == expected(1, 1)
        writer.append(2, 1, data)
    assert read_all(log) == [*expected(1, 1), (2, data)]


def test_parts_of_an_earlier_attempt_that_arrive_late_are_told_from_the_present_one(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = content(2, 4 * CHUNK_BYTES)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        server.pause()
        with pytest.raises(LogUnavailableError):
            writer.append(2, 1, data)
        server.resume()
        run, made, said = log._connection.script, 0, list[object]()

        def with_late_parts(*arguments: object) -> list[object]:
            nonlocal made
            made += 1
            if made == 3:  # two parts of the third attempt are there
                for attempt, chunk in [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 3)]:
                    place = (*arguments[:4], 2, 1, attempt, chunk)
                    said.append(run(*place, b"late", b"", "", 1000)[0])  # type: ignore[arg-type]
            return run(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(log._connection, "script", with_late_parts)
        writer.append(2, 1, data)
        assert said == ["STALE"] * 6
    assert read_all(log) == [*expected(1, 1), (2, data)]


def test_a_writer_that_is_taken_over_in_the_middle_of_an_entry_leaves_none_of_it(
    server: RedisServer, log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = RedisLog(server.url, "shop")
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        run, made, taking = log._connection.script, 0, list[Writer]()

        def interrupted(*arguments: object) -> list[object]:
            nonlocal made
            made += 1
            if made == 3:
                taking.append(other.open_writer(LINEAGE, base=base(1), take_over=True))
                fill(taking[0], 2)
            return run(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(log._connection, "script", interrupted)
        with pytest.raises(FencedError):
            writer.append(2, 1, content(2, 3 * CHUNK_BYTES))
    fill(taking[0], 3)
    taking[0].close()
    assert read_all(log) == expected(1, 3)
    with redis.Redis.from_url(server.url) as client:
        assert client.xlen(f"recsys:{{shop}}:entries:{LINEAGE}") == 3 * 2


def test_a_writer_goes_on_after_a_pause_longer_than_its_lease(server: RedisServer) -> None:
    log = RedisLog(server.url, "shop", timeout_s=0.25, lease_s=1)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 1)
        server.pause()
        time.sleep(1.2)
        server.resume()
        with redis.Redis.from_url(server.url) as client:
            until(lambda: client.exists("recsys:{shop}:lease"))
        with pytest.raises(WriterHeldError):
            log.open_writer(LINEAGE, base=base(1))
        fill(writer, 2)
    assert read_all(log) == expected(1, 2)


def until(is_so: Callable[[], object]) -> None:
    """Waits for something to come true, for a while."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_new_lineage_leaves_nothing_of_the_old(server: RedisServer, log: RedisLog) -> None:
    for lineage in (LINEAGE, OTHER):
        with log.open_writer(lineage) as writer:
            fill(writer, 2)
    with redis.Redis.from_url(server.url) as client:
        keys = {key.decode() for key in client.keys("*")}
    assert keys == {"recsys:{shop}:head", f"recsys:{{shop}}:entries:{OTHER}"}


def test_a_server_that_comes_back_empty_is_begun_again_behind_a_snapshot(
    server: RedisServer, log: RedisLog
) -> None:
    writer = log.open_writer(LINEAGE)
    fill(writer, 5)
    server.kill()
    for refused in (lambda: fill(writer, 6), lambda: read_all(log)):
        with pytest.raises(LogUnavailableError, match="may be made again"):
            refused()
    server.start()
    with pytest.raises(LogNotFoundError, match="has lost it.*open a writer with it as the base"):
        fill(writer, 6)
    with pytest.raises(LogNotFoundError, match="let the trainer take a snapshot"):
        read_all(log, 5)
    writer.close()
    with log.open_writer(LINEAGE, base=base(5)) as writer:
        fill(writer, 7)
    assert read_all(log, 5) == expected(6, 7)
    with pytest.raises(TrimmedError) as error:
        read_all(log, 4)
    assert (error.value.snapshot, error.value.number) == (base(5).snapshot, 5)


def test_a_token_that_comes_again_in_an_emptied_server_is_not_taken_for_the_old(
    server: RedisServer, log: RedisLog
) -> None:
    with log.open_writer(LINEAGE) as first:
        fill(first, 2)
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        with log.open_writer(LINEAGE, base=base(2)) as second:
            assert second.token == first.token == 1
            for refused in (lambda: fill(first, 3), lambda: first.trim(1, base(2))):
                with pytest.raises(FencedError):
                    refused()
            fill(second, 3)
    assert read_all(log, 2) == expected(3, 3)


def test_a_server_that_keeps_its_data_is_gone_on_with(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, keeps=True)
    log = RedisLog(server.url, "shop", timeout_s=1)
    with log.open_writer(LINEAGE) as writer:
        fill(writer, 4)
        server.kill()
        with pytest.raises(LogUnavailableError):
            fill(writer, 5)
        server.start()
        fill(writer, 6)
    assert read_all(log) == expected(1, 6)
    server.kill()


def test_a_server_restored_from_an_older_state_is_told_to_writer_and_reader(
    server: RedisServer, log: RedisLog
) -> None:
    with log.open_writer(LINEAGE) as writer, redis.Redis.from_url(server.url) as client:
        fill(writer, 3)
        keys = ["recsys:{shop}:head", f"recsys:{{shop}}:entries:{LINEAGE}"]
        kept = [client.dump(key) for key in keys]
        fill(writer, 5)
        for key, value in zip(keys, kept, strict=True):
            assert isinstance(value, bytes)
            client.restore(key, 0, value, replace=True)
        with pytest.raises(GapError, match="ends with entry 3; the server was restored"):
            fill(writer, 6)
        with pytest.raises(GapError, match="ends with entry 3, before entry 5"):
            read_all(log, 5)
    with log.open_writer(OTHER, base=base(5)) as writer:
        fill(writer, 6)
    assert read_all(log, 5, OTHER) == expected(6, 6)


def test_a_full_server_refuses_the_entry_and_takes_it_when_it_has_room(
    server: RedisServer, log: RedisLog
) -> None:
    with log.open_writer(LINEAGE) as writer, redis.Redis.from_url(server.url) as client:
        fill(writer, 2)
        client.config_set("maxmemory", 1)
        with pytest.raises(LogUnavailableError, match="maxmemory"):
            fill(writer, 3)
        assert read_all(log) == expected(1, 2)
        writer.trim(1, base(2))  # makes room, and so must not need any
        client.config_set("maxmemory", 0)
        fill(writer, 3)
    assert read_all(log, 1) == expected(2, 3)


def test_readers_go_on_by_themselves_after_a_pause(server: RedisServer, log: RedisLog) -> None:
    seen, failures, last = list[int](), 0, 40

    def follow() -> None:
        nonlocal failures
        while len(seen) < last:
            try:
                for entry in log.read(len(seen), lineage=LINEAGE, wait_s=0.05):
                    seen.append(entry.number)
            except LogUnavailableError:
                failures += 1

    with log.open_writer(LINEAGE) as writer:
        thread = threading.Thread(target=follow)
        thread.start()
        fill(writer, last // 2)
        server.pause()
        time.sleep(2.5 * TIMEOUT_S)
        server.resume()
        fill(writer, last)
        thread.join(20)
    assert seen == list(range(1, last + 1))
    assert failures >= 1


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock"])
def test_a_server_that_is_not_there_is_told_at_once(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(LogUnavailableError, match=r"Redis at (redis|unix)://"):
        RedisLog(url, "shop").head()
    assert time.monotonic() - began < 1


def test_passwords_are_not_told() -> None:
    with pytest.raises(LogUnavailableError) as error:
        RedisLog("redis://shop:secret@127.0.0.1:1", "shop").head()
    assert "secret" not in str(error.value)


def test_what_makes_no_log_is_refused_at_construction() -> None:
    with pytest.raises(InputError, match="timeout_s"):
        RedisLog("redis://localhost", "shop", timeout_s=0)
    with pytest.raises(InputError, match="lease_s"):
        RedisLog("redis://localhost", "shop", lease_s=0)
    with pytest.raises(ConfigError, match="url: expected redis://host:port"):
        RedisLog("http://localhost", "shop")
    with pytest.raises(InputError, match="1 to 64 letters"):
        RedisLog("redis://localhost", "a b")
