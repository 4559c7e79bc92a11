"""Where messages are sent: a Redis Stream or a Kafka topic, each message once."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from recsys_embed.errors import ConfigError, SourceError
from training.online.sources.redis_client import Away, RedisClient

PAUSE_S = 0.1  # between attempts at a server that is away
TIMEOUT_S = 5.0


class Sink(Protocol):
    """Takes messages in order."""

    def send(self, keys: Sequence[str], times: Sequence[float], messages: Sequence[bytes]) -> None:
        """Sends messages; waits while the server is away.

        Raises:
            SourceError: if the server refuses.
        """
        ...

    def close(self) -> None:
        """Returns once everything has arrived."""
        ...


class RedisSink:
    """Appends to a stream; ids of its own make an attempt that is repeated harmless.

    Args:
        url: of the server.
        stream: its key.
        maxlen: about how many records the stream keeps; all if None.
    """

    def __init__(self, url: str, stream: str, maxlen: int | None = None) -> None:
        self._client = RedisClient(url, TIMEOUT_S)
        self._stream, self._maxlen = stream, maxlen
        self._begun_ms: int | None = None
        self._sent = 0

    def send(self, keys: Sequence[str], times: Sequence[float], messages: Sequence[bytes]) -> None:
        """Sends messages; see `Sink`."""
        if self._begun_ms is None:
            self._begun_ms = self._beginning()
        ids = [f"{self._begun_ms}-{self._sent + number}" for number in range(len(messages))]

        def add(p: Any) -> None:
            for id, message in zip(ids, messages, strict=True):
                p.xadd(self._stream, {"record": message}, id=id, maxlen=self._maxlen)

        answers, attempts = self._reaching(add)
        for answer in answers:
            is_there = attempts > 1 and "equal or smaller" in str(answer)
            if isinstance(answer, Exception) and not is_there:
                raise SourceError(f"stream {self._stream}: {answer}; does another producer write?")
        self._sent += len(messages)

    def close(self) -> None:
        """Closes the connection; what was sent has arrived."""
        self._client.close()

    def _beginning(self) -> int:
        """Gives milliseconds behind all that the stream holds."""
        (info,), _ = self._reaching(lambda p: p.xinfo_stream(self._stream))
        now = time.time_ns() // 1_000_000
        if isinstance(info, Exception):
            return now
        return max(now, int(info["last-generated-id"].partition(b"-")[0]) + 1)

    def _reaching(self, fill: Callable[[Any], None]) -> tuple[list[Any], int]:
        """Runs a transaction, however often it takes; says how often it took."""
        attempts = 1
        while True:
            try:
                return self._client.transaction(fill), attempts
            except Away:
                attempts += 1
                time.sleep(PAUSE_S)


class KafkaSink:
    """Sends to a topic: the key chooses the partition, the time of the record is the time stamp.

    Args:
        servers: "host:port", several with commas.
        topic: where to.
        options: of librdkafka.
    """

    def __init__(self, servers: str, topic: str, **options: Any) -> None:
        try:
            from confluent_kafka import Producer
        except ImportError:
            raise ConfigError(
                "a Kafka topic needs confluent-kafka; pip install 'recsys-embed[kafka]'"
            ) from None
        own = {"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 20}
        self._producer = Producer({**own, "log_level": 2, **options})
        self._topic = topic
        self._failure: str | None = None

    def send(self, keys: Sequence[str], times: Sequence[float], messages: Sequence[bytes]) -> None:
        """Sends messages; see `Sink`."""
        for key, seconds, message in zip(keys, times, messages, strict=True):
            self._produce(key, round(1000 * seconds), message)
        self._producer.poll(0)
        self._check()

    def close(self) -> None:
        """Waits until everything has arrived."""
        while self._producer.flush(1.0):
            self._check()
        self._check()

    def _produce(self, key: str, time_ms: int, message: bytes) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, message, key, timestamp=time_ms, on_delivery=self._delivered
                )
                return
            except BufferError:  # as much as may be under way is
                self._producer.poll(0.1)
                self._check()

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None and self._failure is None:
            self._failure = error.str()

    def _check(self) -> None:
        if self._failure is not None:
            raise SourceError(f"topic {self._topic} did not take a record: {self._failure}")
