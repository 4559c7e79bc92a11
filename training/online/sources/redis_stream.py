"""A Redis Stream: records as entries with one field, `record`, that holds JSON."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from recsys_embed.errors import ConfigError
from training.features import Dense, Feature
from training.online.sources.intake import Intake, check_columns
from training.online.sources.redis_client import RedisClient
from training.online.sources.redis_source import RedisSource


@dataclass(frozen=True)
class RedisStream:
    """Reads a stream of a Redis server, 6.2 or later, in the name of a consumer group.

    The group shows how far the run has read and what is not durable yet (XPENDING); where to go on
    is told by the run's own offset. Each run needs a group of its own.

    Args:
        url: of the server, as redis-py takes it: redis://host:port/db, rediss://…, unix://….
        stream: its key.
        columns: of the records, with their types: "str", "int", "float", "bool" or "list[…]".
        group: made if absent.
        consumer: this run's name in the group.
        timeout_s: how long to wait for an answer before connecting anew.
    """

    kind: ClassVar[str] = "redis-stream"
    url: str
    stream: str
    columns: Mapping[str, str]
    group: str = "recsys-train"
    consumer: str = "trainer"
    timeout_s: float = 1.0

    def __post_init__(self) -> None:
        check_columns(self.columns)
        if not self.timeout_s > 0:
            raise ConfigError(f"timeout_s must be above 0, got {self.timeout_s}")

    def open(
        self, features: Mapping[str, Feature], dense: Dense, derived: Collection[str] = ()
    ) -> RedisSource:
        """Opens the stream for a model; the server need not be there yet.

        Args:
            features: whose columns must be among those of the records.
            dense: as well.
            derived: columns that will be made of the others.

        Raises:
            ConfigError: if the columns lack one that a feature needs, or redis-py is not installed.
        """
        intake = Intake(self.columns, features, dense, derived, f"stream {self.stream}")
        client = RedisClient(self.url, self.timeout_s)
        return RedisSource(client, self.stream, self.group, self.consumer, intake)
