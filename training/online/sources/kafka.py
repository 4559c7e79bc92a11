"""A Kafka topic: records as messages whose values are JSON."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from recsys_embed.errors import ConfigError
from training.features import Dense, Feature
from training.online.sources.intake import Intake, check_columns
from training.online.sources.kafka_client import KafkaClient
from training.online.sources.kafka_source import KafkaSource


@dataclass(frozen=True)
class Kafka:
    """Reads all partitions of a topic, merged by the time stamps of the messages.

    Where to go on is told by the run's own offset; what is durable is committed in the name of the
    group, so that tools show how far the run is. An impression and its outcome may be in different
    partitions; the record that is behind is waited for, see `patience_s`.

    Args:
        servers: "host:port", several with commas.
        topic: it must be there.
        columns: of the records, with their types: "str", "int", "float", "bool" or "list[…]".
        group: in whose name offsets are committed; each run needs its own.
        patience_s: how long the other partitions wait for one that has more messages but does not
            deliver them; beyond it, its records come late.
        options: of librdkafka, such as "security.protocol".
    """

    kind: ClassVar[str] = "kafka"
    servers: str
    topic: str
    columns: Mapping[str, str]
    group: str = "recsys-train"
    patience_s: float = 10.0
    options: Mapping[str, str | int | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_columns(self.columns)
        if not self.patience_s >= 0:
            raise ConfigError(f"patience_s must not be negative, got {self.patience_s}")

    def open(
        self, features: Mapping[str, Feature], dense: Dense, derived: Collection[str] = ()
    ) -> KafkaSource:
        """Opens the topic for a model; its servers need not be there yet.

        Args:
            features: whose columns must be among those of the records.
            dense: as well.
            derived: columns that will be made of the others.

        Raises:
            ConfigError: if the columns lack one that a feature needs, for an option that there is
                not, or if confluent-kafka is not installed.
        """
        intake = Intake(self.columns, features, dense, derived, f"topic {self.topic}")
        client = KafkaClient(self.servers, self.topic, self.group, self.options)
        return KafkaSource(client, intake, self.patience_s)
