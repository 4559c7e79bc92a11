"""Kafka beyond the contract: partitions that wait for each other, offsets, losses and outages."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from recsys_embed.errors import ConfigError, SourceLostError
from tests.online.places import Topic, read_all
from tests.online.test_sources import same
from training.online.sources import Kafka
from training.online.sources.kafka_client import Message
from training.online.sources.kafka_source import KafkaSource

CLUSTER = """
import sys, time
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
broker, = producer.list_topics("records", timeout=10).brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
for line in sys.stdin.buffer:
    producer.produce("records", value=line.strip(), partition=0)
    producer.flush(10)
    time.sleep(0.002)
time.sleep(600)
"""


@pytest.fixture
def place(tmp_path: Path, producer: Producer) -> Topic:
    """A topic in the cluster of the session."""
    return Topic(tmp_path, producer)


def spread(place: Topic, rng: np.random.Generator) -> np.ndarray:
    """Sends each record to a partition at random, stamped in the order of the records."""
    partitions = rng.integers(0, 4, len(place.messages))
    for number, message in enumerate(place.messages):
        place.producer.produce(
            place.topic, message, partition=int(partitions[number]), timestamp=10_000 + number
        )
    assert place.producer.flush(10) == 0
    return partitions


def test_partitions_are_merged_by_time_and_gone_on_with_anywhere(
    place: Topic, rng: np.random.Generator
) -> None:
    partitions = spread(place, rng)
    source = place.open()
    source.seek(None)
    chunk = source.read(117, 5.0)
    while len(chunk) < 117:  # what the first fetch brought
        more = source.read(117 - len(chunk), 5.0)
        chunk = type(chunk)(pl.concat([chunk.records, more.records]), more.offset)
    counts = np.bincount(partitions[:117], minlength=4)
    assert chunk.offset == {str(p): int(count) for p, count in enumerate(counts)}
    other = place.open()
    other.seek(chunk.offset)
    rest = len(place.records) - 117
    for frame in (read_all(source, rest, 40), read_all(other, rest, 40)):
        assert same(pl.concat([chunk.records, frame]), place.records)
    assert source.read(5, 0.1) is None and source.lag() == 0
    source.close()


def test_what_is_forgotten_is_committed(place: Topic) -> None:
    place.fill(30)
    source = place.open()
    read_all(source, 10, at_once=10)
    assert source.lag() == 20
    chunk = source.read(10, 1.0)
    assert chunk is not None
    source.forget(chunk.offset)
    asked = [TopicPartition(place.topic, 0)]
    consumer = Consumer({"bootstrap.servers": place.servers, "group.id": "recsys-train"})
    deadline = time.monotonic() + 10
    while (committed := consumer.committed(asked, timeout=5)[0].offset) != 20:
        assert time.monotonic() < deadline, committed
    consumer.close()
    source.close()


def test_messages_that_are_gone_are_named(place: Topic) -> None:
    place.fill(10)
    source = place.open()
    source.seek({"0": 11})
    with pytest.raises(SourceLostError, match="partition 0 are gone.*begin a new run"):
        source.read(5, 10.0)
    source.seek({"0": 5})
    assert same(read_all(source, 5), place.records[5:10])
    for _ in range(8):  # a mock partition keeps five megabytes
        place.send([b" " * 900_000])
    source.seek({"0": 5})
    with pytest.raises(SourceLostError, match="partition 0 are gone"):
        source.read(5, 10.0)
    source.close()


class Scripted:
    """A client whose partitions deliver what a test says."""

    trouble = None
    name = "scripted"

    def __init__(self, polls: list[list[Message]]) -> None:
        self.polls = iter(polls)

    def partitions(self, wait_s: float) -> list[int]:
        return [0, 1]

    def assign(self, positions: dict[int, int | None]) -> None:
        assert positions == {0: None, 1: None}

    def poll(self, max_messages: int, wait_s: float) -> list[Message]:
        found = next(self.polls, None)
        if found is None:
            time.sleep(wait_s)
        return found or []


class Keys:
    """Makes records of messages that are keys."""

    malformed = 0

    def records(self, messages: Iterator[bytes | None]) -> pl.DataFrame:
        return pl.DataFrame({"key": [m.decode() for m in messages if m is not None]})


def scripted(*polls: list[Message], patience_s: float = 60.0) -> KafkaSource:
    return KafkaSource(Scripted(list(polls)), Keys(), patience_s)  # type: ignore[arg-type]


A, B, C = (Message(0, offset, offset, b"abc"[offset : offset + 1]) for offset in range(3))
X, Y = Message(1, 0, 1, b"x"), Message(1, 1, 5, b"y")
END_0, END_1 = Message(0, None, 0, None), Message(1, None, 0, None)


def test_a_partition_that_delivers_waits_for_one_that_has_more() -> None:
    source = scripted([A, B, C, END_0], [X], [Y, END_1])
    first, second = source.read(9, 0.2), source.read(9, 0.2)
    assert first is not None and second is not None
    assert first.records["key"].to_list() == ["a", "b", "x"]  # c may be younger than what follows x
    assert first.offset == {"0": 2, "1": 1}
    assert second.records["key"].to_list() == ["c", "y"]
    assert source.read(9, 0.0) is None


def test_patience_with_a_partition_that_does_not_deliver_ends() -> None:
    source = scripted([A, B], [C, END_0], patience_s=0.1)
    began, keys = time.monotonic(), list[str]()
    assert source.read(9, 0.02) is None
    while len(keys) < 3 and time.monotonic() - began < 10:
        if (chunk := source.read(9, 0.02)) is not None:
            keys += chunk.records["key"].to_list()
    assert keys == ["a", "b", "c"] and time.monotonic() - began >= 0.1


def test_a_cluster_that_pauses_costs_no_record(tmp_path: Path, producer: Producer) -> None:
    place = Topic(tmp_path, producer)
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([sys.executable, "-c", CLUSTER], **piped) as cluster,
        ExitStack() as stack,
    ):
        stack.callback(cluster.kill)
        assert cluster.stdin is not None and cluster.stdout is not None
        place.servers, place.topic = cluster.stdout.readline().decode().strip(), "records"
        source = place.open()
        source.seek(None)
        cluster.stdin.write(b"\n".join(place.messages) + b"\n")
        cluster.stdin.flush()
        frames = list[pl.DataFrame]()
        for _ in range(3):
            if (chunk := source.read(20, 0.1)) is not None:
                frames.append(chunk.records)
            os.kill(cluster.pid, signal.SIGSTOP)
            if (chunk := source.read(20, 0.3)) is not None:
                frames.append(chunk.records)
            os.kill(cluster.pid, signal.SIGCONT)
        frames.append(read_all(source, len(place.records) - sum(map(len, frames))))
        assert same(pl.concat(frames), place.records)
    deadline = time.monotonic() + 20
    while source.trouble is None:
        assert source.read(5, 0.1) is None and time.monotonic() < deadline
    assert "still trying" in source.trouble
    source.close()


def test_a_topic_that_is_not_there_is_waited_for(place: Topic) -> None:
    config = Kafka("127.0.0.1:9", place.topic, place.columns)
    source = config.open(place.config.features, place.config.dense)
    source.seek(None)
    assert source.read(5, 0.2) is None and source.lag() is None
    assert source.trouble is not None
    source.close()


def test_what_cannot_be_is_refused(place: Topic) -> None:
    def opened(**options: object) -> None:
        given = {"servers": place.servers, "topic": "t", "columns": place.columns, **options}
        Kafka(**given).open(place.config.features, place.config.dense)  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match="enable.auto.commit are set by the source itself"):
        opened(options={"enable.auto.commit": True})
    with pytest.raises(ConfigError, match='options: No such configuration property: "no.such"'):
        opened(options={"no.such": "x"})
    with pytest.raises(ConfigError, match="patience_s must not be negative"):
        opened(patience_s=-1)
    with pytest.raises(ConfigError, match="asks for column 'user'"):
        opened(columns={"item": "int"})
