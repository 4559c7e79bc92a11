"""A topic as a source sees it: messages, the ends of partitions, and what is wrong just now."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from recsys_embed.errors import ConfigError, SourceError, SourceLostError

FIXED = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # an offset that is gone is a loss, not a reason to jump
    "isolation.level": "read_committed",
}
DEFAULTS = {"log_level": 2}  # what is wrong is told by `trouble`


class Message(NamedTuple):
    """A message, or where it has no offset, the end of its partition."""

    partition: int
    offset: int | None
    time: int
    value: bytes | None


class KafkaClient:
    """A consumer of all partitions that are assigned to it, and of those alone.

    Attributes:
        trouble: why nothing comes just now; None if something came.
    """

    def __init__(
        self, servers: str, topic: str, group: str, options: Mapping[str, str | int | bool]
    ) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise ConfigError(
                "a Kafka topic needs confluent-kafka; pip install 'recsys-embed[kafka]'"
            ) from None
        if taken := sorted(set(options) & set(FIXED)):
            raise ConfigError(f"options: {', '.join(taken)} are set by the source itself")
        self._kafka: Any = confluent_kafka
        own = {"bootstrap.servers": servers, "group.id": group, "error_cb": self._note}
        try:
            self._consumer = confluent_kafka.Consumer({**DEFAULTS, **options, **FIXED, **own})
        except confluent_kafka.KafkaException as error:
            raise ConfigError(f"options: {error.args[0].str()}") from None
        self._topic = topic
        self.name = f"topic {topic} at {servers}"
        self.trouble: str | None = None

    def partitions(self, wait_s: float) -> list[int]:
        """Lists the partitions; none, while no server answers or the topic is not there."""
        try:
            topics = self._consumer.list_topics(self._topic, timeout=wait_s).topics
        except self._kafka.KafkaException as error:
            self._note(error.args[0])
            return []
        if topics[self._topic].error is not None:
            self._note(topics[self._topic].error)
            return []
        self.trouble = None
        return sorted(topics[self._topic].partitions)

    def assign(self, positions: Mapping[int, int | None]) -> None:
        """Reads these partitions, each from an offset on, or from its beginning."""
        beginning = self._kafka.OFFSET_BEGINNING
        self._consumer.assign(
            [self._at(p, beginning if at is None else at) for p, at in positions.items()]
        )

    def poll(self, max_messages: int, wait_s: float) -> list[Message]:
        """Waits for something to come; gives what is there then.

        Raises:
            SourceLostError: if the next messages of a partition are gone.
            SourceError: if the servers refuse.
        """
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        rest = self._consumer.consume(max_messages - 1, 0) if max_messages > 1 else []
        came = [self._message(message) for message in (first, *rest)]
        return [message for message in came if message is not None]

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commits the next offset of each partition, by and by."""
        if positions:
            offsets = [self._at(partition, at) for partition, at in positions.items()]
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def ends(self, partition: int) -> tuple[int, int] | None:
        """Gives the first and the next offset of a partition, as far as they are known here."""
        low, high = self._consumer.get_watermark_offsets(self._at(partition, 0), cached=True)
        return (max(0, low), high) if high >= 0 else None

    def close(self) -> None:
        """Leaves the servers."""
        self._consumer.close()

    def _at(self, partition: int, offset: int) -> Any:
        return self._kafka.TopicPartition(self._topic, partition, offset)

    def _message(self, message: Any) -> Message | None:
        error, codes = message.error(), self._kafka.KafkaError
        if error is None:
            self.trouble = None
            at = (message.partition(), message.offset())
            return Message(*at, message.timestamp()[1], message.value())
        if error.code() == codes._PARTITION_EOF:
            self.trouble = None
            return Message(message.partition(), None, 0, None)
        if error.code() in (codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE):
            raise SourceLostError(
                f"{self.name}: the next messages of partition {message.partition()} are gone:"
                f" {error.str()}. What is missing cannot be trained on any more; take the loss and"
                " begin a new run with what is there"
            )
        self._note(error)
        return None

    def _note(self, error: Any) -> None:
        """Keeps what is wrong, or refuses to go on if it will not pass by itself."""
        codes = self._kafka.KafkaError
        refusals = (codes.TOPIC_AUTHORIZATION_FAILED, codes.GROUP_AUTHORIZATION_FAILED)
        if error.fatal() or error.code() in (*refusals, codes._AUTHENTICATION):
            raise SourceError(f"{self.name} refuses: {error.str()}; look at the options")
        self.trouble = f"{self.name}: {error.str()}; still trying"
