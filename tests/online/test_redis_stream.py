"""A Redis away, trimmed, emptied or shared: no record lost, none twice, or a clear error."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import redis

from recsys_embed.errors import ConfigError, SourceError, SourceLostError
from tests.online.places import Streamed, read_all, streamed
from tests.online.test_sources import same
from tests.redis_server import RedisServer
from training.online.sources import RedisStream
from training.online.sources.redis_client import Away

KILLS = int(os.environ.get("RECSYS_KILLS", "4"))
GROUP = "recsys-train"


@pytest.fixture
def place(tmp_path: Path, redis_url: str) -> Iterator[Streamed]:
    """A stream in the server of the session."""
    yield from streamed(tmp_path, redis_url)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, which keeps what it holds."""
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis", keeps=True)
    yield server
    server.kill()


def counts(place: Streamed) -> bool:
    """Whether the server counts what a stream has had: Redis 7 does."""
    return "entries-added" in place.client.xinfo_stream(place.stream)


def test_a_server_that_is_killed_or_paused_costs_no_record(
    tmp_path: Path, server: RedisServer, rng: np.random.Generator
) -> None:
    place = Streamed(tmp_path, server.url)

    def send() -> None:
        while place.put < len(place.messages):
            try:
                place.send([place.messages[place.put]])
                place.put += 1
            except (redis.RedisError, OSError):
                last = last_sent()
                place.put += last == place.messages[place.put]
            time.sleep(0.002)

    def last_sent() -> bytes | None:
        while True:
            try:
                found = place.client.xrevrange(place.stream, count=1)
                return found[0][1][b"record"] if found else None
            except (redis.RedisError, OSError):
                time.sleep(0.01)

    def disturb() -> None:
        for kind in [*rng.choice(["kill", "pause"], KILLS)]:
            time.sleep(rng.random() * 0.1)
            if kind == "kill":
                server.kill()
                server.start()
            else:
                server.pause()
                time.sleep(0.6)  # longer than the source waits for an answer
                server.resume()

    threads = [threading.Thread(target=work, daemon=True) for work in (send, disturb)]
    for thread in threads:
        thread.start()
    frames, source = list[pl.DataFrame](), place.open()
    source.seek(None)
    deadline = time.monotonic() + 60
    while sum(map(len, frames)) < len(place.records):
        assert time.monotonic() < deadline
        if (chunk := source.read(20, 0.1)) is not None:
            frames.append(chunk.records)
            if rng.random() < 0.3:
                source.forget(chunk.offset)
    for thread in threads:
        thread.join()
    assert source.read(20, 0.1) is None
    assert same(pl.concat(frames), place.records)
    source.close()


@pytest.mark.parametrize("stands", [0, 7])
def test_an_answer_lost_on_its_way_is_asked_for_again(
    place: Streamed, monkeypatch: pytest.MonkeyPatch, stands: int
) -> None:
    place.fill()
    source = place.open()
    source.seek(None)
    frames = [read_all(source, stands, at_once=stands)] if stands else []
    run, failing = source._client.transaction, iter([True, True, False])

    def losing(fill: Any) -> Any:
        answer = run(fill)
        if next(failing, False):
            raise Away("the answer is lost")
        return answer

    monkeypatch.setattr(source._client, "transaction", losing)
    frames.append(read_all(source, len(place.records) - stands))
    assert same(pl.concat(frames), place.records)


def test_a_read_says_that_a_paused_server_is_away_and_returns_in_time(
    tmp_path: Path, server: RedisServer
) -> None:
    place = Streamed(tmp_path, server.url)
    place.fill(10)
    source = place.open()
    chunk = source.read(5, 1.0)
    assert chunk is not None
    server.pause()
    began = time.monotonic()
    assert source.read(5, 0.1) is None
    source.forget(chunk.offset)
    source.seek(chunk.offset)
    assert source.lag() is None
    assert time.monotonic() - began < 6
    assert source.trouble is not None and "still trying" in source.trouble
    server.resume()
    assert same(read_all(source, 5), place.records[5:10])
    assert source.trouble is None
    server.kill()
    assert source.read(5, 0.1) is None and source.trouble is not None


def test_a_trainer_may_start_before_its_server_and_its_producer(
    tmp_path: Path, server: RedisServer
) -> None:
    server.kill()
    source = Streamed(tmp_path, server.url).open()
    source.seek(None)
    assert source.read(5, 0.1) is None
    server.start()
    assert source.read(5, 0.1) is None
    place = Streamed(tmp_path, server.url)
    place.stream = source._stream
    place.fill(3)
    assert same(read_all(source, 3), place.records[:3])


def test_a_stream_trimmed_behind_the_reader_is_gone_on_with(place: Streamed) -> None:
    place.fill(20)
    source = place.open()
    chunk = source.read(10, 1.0)
    assert chunk is not None
    place.client.xtrim(place.stream, maxlen=11, approximate=False)  # the last that came is there
    assert same(read_all(source, 10), place.records[10:20])
    place.client.xtrim(place.stream, maxlen=0, approximate=False)
    assert source.read(10, 0.0) is None and source.lag() == 0
    if counts(place):
        place.fill(5)
        assert same(read_all(source, 5), place.records[20:25])


def test_a_stream_trimmed_before_the_reader_is_named(place: Streamed) -> None:
    place.fill(20)
    source = place.open()
    chunk = source.read(10, 1.0)
    assert chunk is not None
    place.client.xtrim(place.stream, maxlen=9, approximate=False)
    for ask in (lambda: source.read(10, 1.0), lambda: source.seek(chunk.offset)):
        with pytest.raises(SourceLostError, match="begins with .* trimmed.*begin a new run"):
            ask()
    source.seek(None)
    assert same(read_all(source, 9), place.records[11:20])


def test_a_stream_that_was_removed_or_begun_anew_is_named(place: Streamed) -> None:
    place.fill(20)
    source = place.open()
    chunk = source.read(20, 1.0)
    assert chunk is not None
    place.client.delete(place.stream)
    with pytest.raises(SourceLostError, match="is not there"):
        source.read(10, 1.0)
    with pytest.raises(SourceLostError, match="is not there"):
        source.seek(chunk.offset)
    place.fill(5)
    with pytest.raises(SourceLostError, match="begins with .* lost and begun anew"):
        source.read(10, 1.0)
    place.client.delete(place.stream)
    place.client.xadd(place.stream, {"record": b"{}"}, id="5-0")
    with pytest.raises(SourceLostError, match="ends with 5-0: it was begun anew"):
        source.read(10, 1.0)


def test_others_in_the_group_take_nothing_away(place: Streamed) -> None:
    place.fill(30)
    source = place.open()
    first = read_all(source, 10, at_once=10)
    stolen = place.client.xreadgroup(GROUP, "other", {place.stream: ">"}, count=15)
    assert len(stolen[0][1]) == 15
    second = read_all(source, 10, at_once=10)
    place.client.xgroup_destroy(place.stream, GROUP)
    third = read_all(source, 10, at_once=10)
    assert same(pl.concat([first, second, third]), place.records[:30])


def test_what_is_not_forgotten_pends(place: Streamed) -> None:
    place.fill(30)
    source = place.open()
    chunks = [source.read(10, 1.0) for _ in range(3)]
    for chunk, left in zip(chunks, (20, 10, 0), strict=True):
        assert chunk is not None
        assert place.client.xpending(place.stream, GROUP)["pending"] == left + 10
        source.forget(chunk.offset)
        assert place.client.xpending(place.stream, GROUP)["pending"] == left
    assert chunks[0] is not None
    source.seek(chunks[0].offset)
    again = source.read(10, 1.0)
    assert again is not None
    read_all(source, 10)
    source.forget(again.offset)
    assert place.client.xpending(place.stream, GROUP)["pending"] == 10
    source.seek(chunks[0].offset)
    assert place.client.xpending(place.stream, GROUP)["pending"] == 0


def test_the_lag_is_counted_where_the_server_counts(place: Streamed) -> None:
    place.fill(5)
    place.client.xtrim(place.stream, maxlen=2, approximate=False)
    place.fill(23)
    source = place.open()
    source.seek(None)
    for left in (25, 15, 5, 0):
        assert source.lag() == (left if counts(place) or left == 0 else None)
        source.read(10, 0.0)


def test_what_cannot_be_is_refused(place: Streamed, redis_url: str) -> None:
    with pytest.raises(ConfigError, match="columns.x must be one of str, int"):
        RedisStream(redis_url, "s", {"x": "list[list[int]]"})
    with pytest.raises(ConfigError, match="has columns time"):
        RedisStream(redis_url, "s", {"time": "int"})
    with pytest.raises(ConfigError, match="timeout_s must be above 0"):
        RedisStream(redis_url, "s", {}, timeout_s=0)
    with pytest.raises(ConfigError, match="expected redis://host:port"):
        RedisStream("http://cache", "s", place.columns).open({}, place.config.dense)
    lacking = {name: type for name, type in place.columns.items() if name != "tags"}
    with pytest.raises(ConfigError, match="features.tagged asks for column .tags."):
        RedisStream(redis_url, "s", lacking).open(place.config.features, place.config.dense)
    RedisStream(redis_url, "s", lacking).open(place.config.features, place.config.dense, ["tags"])
    place.client.set(place.stream, "a string")
    with pytest.raises(SourceError, match="(?i)wrong kind of value"):
        place.open().read(1, 0.0)
