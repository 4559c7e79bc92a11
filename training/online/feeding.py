"""Sends the records of a replay to where a trainer reads them."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from recsys_embed.errors import ConfigError
from training.config import load_config, read_toml
from training.described import Described
from training.online.config import load_online
from training.online.sinks import KafkaSink, RedisSink, Sink
from training.online.sources.messages import encode
from training.online.sources.replay import Replay
from training.online.sources.replay_source import ReplaySource

SENT_AT_ONCE = 1000
REDIS = ("redis://", "rediss://", "unix://")


def open_replay(
    path: Path,
    assignments: Sequence[str] = (),
    *,
    speed: float | None = None,
    outcome_after_s: float | None = None,
) -> ReplaySource:
    """Opens the replay of an online run, or makes one of the log of any run.

    Args:
        path: the config.
        assignments: each replaces one value of it.
        speed: instead of the config's.
        outcome_after_s: as well.

    Raises:
        ConfigError: for an online run that replays nothing.
    """
    if "source" in read_toml(path):
        online = load_online(path, assignments)
        described: Described = online
        source, derived = online.source, online.derive
    else:
        run = load_config(path, assignments)
        described, source, derived = run, Replay(run.data, run.events), {}
    if not isinstance(source, Replay):
        raise ConfigError(f"{path.name}: expected a source of kind 'replay', got {source.kind!r}")
    if speed is not None:
        source = dataclasses.replace(source, speed=speed)
    if outcome_after_s is not None:
        source = dataclasses.replace(source, outcome_after_s=outcome_after_s)
    return source.open(described.features, described.dense, derived)


def feed(source: ReplaySource, sink: Sink, progress: Callable[[int], None]) -> int:
    """Sends what is left of a replay as it falls due; gives how many records those were."""
    sent = 0
    while not source.is_done:
        chunk = source.read(SENT_AT_ONCE, 1.0)
        if chunk is not None:
            records = chunk.records
            sink.send(records["key"].to_list(), records["time"].to_list(), encode(records))
            sent += len(chunk)
        progress(sent)
    return sent


def sink_of(place: str, maxlen: int | None) -> Sink:
    """Opens a stream, redis://host:port/STREAM, or a topic, kafka://host:port,…/TOPIC.

    Raises:
        ConfigError: for another address.
    """
    server, name = parted(place)
    if place.startswith("kafka://"):
        if maxlen is not None:
            raise ConfigError("--maxlen is of Redis; a topic has retention of its own")
        return KafkaSink(server, name)
    return RedisSink(server, name, maxlen)


def parted(place: str) -> tuple[str, str]:
    """Parts an address into the server's and the name of a stream or topic.

    Raises:
        ConfigError: if it is not one.

    Example:
        >>> parted("redis://cache:6379/0/events"), parted("kafka://a:9092,b:9092/events")
        (('redis://cache:6379/0', 'events'), ('a:9092,b:9092', 'events'))
    """
    address, mark, query = place.partition("?")
    server, _, name = address.rpartition("/")
    if place.startswith(REDIS) and name and not name.isdigit() and not server.endswith("/"):
        return server + mark + query, name
    if place.startswith("kafka://") and name and not server.endswith("/"):
        return server.removeprefix("kafka://"), name
    raise ConfigError(
        f"expected redis://host:port/STREAM or kafka://host:port/TOPIC, got {place!r}"
    )


def section_of(place: str, columns: Mapping[str, str]) -> str:
    """Spells the section of a config with which a trainer reads what is sent.

    Example:
        >>> print(section_of("redis://cache:6379/events", {"item": "int"}))
        [source]
        kind = "redis-stream"
        url = "redis://cache:6379"
        stream = "events"
        columns = {"item" = "int"}
    """
    server, name = parted(place)
    is_kafka = place.startswith("kafka://")
    words = ("kafka", "servers", "topic") if is_kafka else ("redis-stream", "url", "stream")
    typed = ", ".join(f"{json.dumps(column)} = {json.dumps(columns[column])}" for column in columns)
    return (
        f'[source]\nkind = "{words[0]}"\n{words[1]} = {json.dumps(server)}\n'
        f"{words[2]} = {json.dumps(name)}\ncolumns = {{{typed}}}"
    )
