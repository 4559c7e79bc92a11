"""Where records come from: each kind of source is described by its frozen config."""

from training.online.sources.intake import MalformedRecordWarning
from training.online.sources.kafka import Kafka
from training.online.sources.protocol import Source
from training.online.sources.redis_stream import RedisStream
from training.online.sources.replay import Replay

SourceConfig = Replay | RedisStream | Kafka

__all__ = ["Kafka", "MalformedRecordWarning", "RedisStream", "Replay", "Source", "SourceConfig"]
