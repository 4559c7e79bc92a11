"""Where records come from, behind one set of hands: a replay, a Redis Stream, a Kafka topic."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import polars as pl
import redis
from confluent_kafka import Producer

from tests.online.logs import config_of, replay_of, write_log
from training.config import RunConfig
from training.online.sources import Kafka, RedisStream, Source, SourceConfig
from training.online.sources.messages import encode, types_of

COUNT = 300


class Place(ABC):
    """Somewhere that holds the records of a small log, of which streams get a part at a time."""

    is_stream = True

    def __init__(self, folder: Path) -> None:
        write_log(folder / "log.parquet", COUNT)
        self.config: RunConfig = config_of(folder / "log.parquet")
        self.replay = replay_of(self.config, outcome_after_s=3.0)
        chunk = self.replay.open(self.config.features, self.config.dense).read(10_000, 0.0)
        assert chunk is not None
        self.columns = types_of(chunk.records)
        self.messages = encode(chunk.records)
        self.records = chunk.records
        self.put = 0

    @property
    @abstractmethod
    def source_config(self) -> SourceConfig:
        """Describes the source."""

    @abstractmethod
    def send(self, messages: list[bytes | None]) -> None:
        """Appends messages, whatever they are."""

    def fill(self, num_records: int | None = None) -> None:
        """Sends the next records; all that are left by default."""
        end = len(self.messages) if num_records is None else self.put + num_records
        self.send(list(self.messages[self.put : end]))
        self.put = end

    def open(self) -> Source:
        """Opens a source, which need not stand anywhere."""
        return self.source_config.open(self.config.features, self.config.dense)


class Replayed(Place):
    """A log to replay; all its records are there from the start."""

    is_stream = False

    def fill(self, num_records: int | None = None) -> None:
        self.put = len(self.messages)

    def send(self, messages: list[bytes | None]) -> None:
        raise AssertionError("nothing is sent to a log")

    @property
    def source_config(self) -> SourceConfig:
        return self.replay


class Streamed(Place):
    """A Redis Stream."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url, self.stream = url, f"records-{uuid4().hex}"
        self.client = redis.Redis.from_url(url)

    @property
    def source_config(self) -> SourceConfig:
        return RedisStream(self.url, self.stream, self.columns, timeout_s=0.5)

    def send(self, messages: list[bytes | None]) -> None:
        with self.client.pipeline(transaction=False) as pipeline:
            for message in messages:
                fields = {"other": b""} if message is None else {"record": message}
                pipeline.xadd(self.stream, fields)
            pipeline.execute()

    def clean(self) -> None:
        """Removes the stream."""
        self.client.delete(self.stream)
        self.client.close()


class Topic(Place):
    """A topic of the mock cluster that librdkafka carries; what is sent goes to one partition."""

    def __init__(self, folder: Path, producer: Producer) -> None:
        super().__init__(folder)
        self.producer, self.topic = producer, f"records-{uuid4().hex}"
        brokers = producer.list_topics(self.topic, timeout=10).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    @property
    def source_config(self) -> SourceConfig:
        quick = {"fetch.wait.max.ms": 10, "reconnect.backoff.max.ms": 100}
        return Kafka(self.servers, self.topic, self.columns, options=quick)

    def send(self, messages: list[bytes | None], partition: int = 0) -> None:
        for message in messages:
            self.producer.produce(self.topic, value=message, partition=partition)
        assert self.producer.flush(10) == 0


def streamed(folder: Path, url: str) -> Iterator[Streamed]:
    """A stream in a server, removed at the end."""
    place = Streamed(folder, url)
    yield place
    place.clean()


def read_all(source: Source, num_records: int, at_once: int = 64) -> pl.DataFrame:
    """Reads until so many records came."""
    frames, came = list[pl.DataFrame](), 0
    while came < num_records:
        chunk = source.read(at_once, 5.0)
        assert chunk is not None and 0 < len(chunk) <= at_once
        frames.append(chunk.records)
        came += len(chunk)
    return pl.concat(frames)
