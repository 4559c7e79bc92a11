"""What is fed is what the replay holds, each record once, also while the server is away."""

import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
from confluent_kafka import Producer

from recsys_embed.config import from_dict
from recsys_embed.errors import ConfigError, SourceError
from tests.online.places import Streamed, Topic, read_all
from tests.online.test_sources import same
from tests.redis_server import RedisServer
from training.cli import main
from training.online.feeding import section_of
from training.online.sinks import KafkaSink, RedisSink
from training.online.sources import RedisStream

CONFIG = """
name = "fed"
[{prefix}data]
kind = "log"
path = "{path}"
[{prefix}events]
time = "when"
label = "clicked"
where = "item > -14"
[{prefix}events.history.recent]
of = "item"
by = "user"
[features]
user = {{}}
item = {{}}
recent = {{table = "item"}}
taste = {{columns = ["user", "tags"]}}
[dense]
columns = ["price"]
[table]
dim = 4
[model]
kind = "dnn"
"""


@pytest.mark.parametrize("kind", ["online", "batch"])
def test_the_command_feeds_what_the_section_it_prints_reads(
    tmp_path: Path, redis_url: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Streamed(tmp_path, redis_url)
    text = CONFIG.format(path=tmp_path / "log.parquet", prefix="source." * (kind == "online"))
    source = '\n[source]\nkind = "replay"\nspeed = 1\n' if kind == "online" else ""
    (tmp_path / "run.toml").write_text(text + source)
    options = ["--speed", "0", "--outcome-after", "3", "--maxlen", "100000"]
    to = ["--to", f"{redis_url}/{place.stream}"]
    assert main(["feed", str(tmp_path / "run.toml"), *to, *options]) == 0
    section, _, said = capsys.readouterr().out.rpartition("}\n")
    assert f"{len(place.records):,} records in " in said
    config = from_dict(RedisStream, tomllib.loads(section + "}")["source"], "source")
    came = read_all(config.open({}, place.config.dense), len(place.records))
    fields = ["type", "key", "time", "label", "user", "item"]
    assert same(came.select(fields), place.records.select(fields).cast(came.select(fields).schema))
    place.clean()


def test_a_stream_gets_each_record_once_while_its_server_is_away(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis", keeps=True)
    place = Streamed(tmp_path, server.url)
    sink = RedisSink(server.url, place.stream)
    sink._client._timeout_s = 0.2
    sink._client._redis.connection_pool.connection_kwargs["socket_timeout"] = 0.2

    def disturb() -> None:
        for _ in range(2):
            time.sleep(0.1)
            server.pause()
            time.sleep(0.5)  # what was sent is answered too late, and done
            server.resume()
            time.sleep(0.1)
            server.kill()
            server.start()

    disturbing = threading.Thread(target=disturb, daemon=True)
    disturbing.start()
    rounds = 0
    while disturbing.is_alive():
        sink.send(["k"] * 3, [0.0] * 3, place.messages[3 * rounds : 3 * rounds + 3])
        rounds += 1
        time.sleep(0.02)
    found = [fields[b"record"] for _, fields in place.client.xrange(place.stream)]
    assert rounds > 5 and found == place.messages[: 3 * rounds]
    place.client.close()
    sink.close()
    server.kill()


def test_a_stream_is_gone_on_with_and_other_producers_are_named(
    tmp_path: Path, redis_url: str
) -> None:
    place = Streamed(tmp_path, redis_url)
    place.client.xadd(place.stream, {"record": b"0"}, id=f"{2**62}-7")  # by a clock far ahead
    sink = RedisSink(redis_url, place.stream, maxlen=1)
    sink.send(["a", "b"], [0.0, 0.0], [b"1", b"2"])
    found = [fields[b"record"] for _, fields in place.client.xrange(place.stream)]
    assert found[-2:] == [b"1", b"2"]
    place.client.xadd(place.stream, {"record": b"3"}, id=f"{2**62 + 2}-0")
    with pytest.raises(SourceError, match="does another producer write"):
        sink.send(["c"], [0.0], [b"4"])
    place.clean()


def test_a_topic_gets_the_records_of_a_key_in_one_partition_with_their_times(
    tmp_path: Path, producer: Producer
) -> None:
    place = Topic(tmp_path, producer)
    sink = KafkaSink(place.servers, place.topic)
    keys = place.records["key"].to_list()
    sink.send(keys, place.records["time"].to_list(), place.messages)
    sink.close()
    source = place.open()
    source.seek(None)
    came = read_all(source, len(place.records))
    assert came["time"].is_sorted()  # merged by time
    assert same(came.sort("key", "time", "type"), place.records.sort("key", "time", "type"))
    chunk = source.read(1, 0.0)
    assert chunk is None
    place.fill(1)
    chunk = source.read(1, 5.0)
    assert chunk is not None and len(chunk.offset) > 1  # not all in one
    source.close()


def test_an_address_that_is_none_is_refused(tmp_path: Path, redis_url: str) -> None:
    for place in ("localhost/events", "redis://localhost:6379", "redis://localhost/0", "kafka://a"):
        with pytest.raises(ConfigError, match="expected redis://host:port/STREAM or kafka://"):
            section_of(place, {})
    assert main(["feed", "missing.toml", "--to", "redis://localhost/events"]) == 2


def test_help_answers_without_what_is_slow_to_import() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "training.cli", "feed", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--outcome-after" in done.stdout
    assert " torch" not in done.stderr and "polars" not in done.stderr
