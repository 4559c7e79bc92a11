"""Changes on their way to serving: a chain of entries that loses, doubles and mixes none."""

from recsys_embed.delta_log.directory import DirectoryLog
from recsys_embed.delta_log.frames import Frame
from recsys_embed.delta_log.places import open_log
from recsys_embed.delta_log.protocol import DeltaLog
from recsys_embed.delta_log.reading import Entry
from recsys_embed.delta_log.redis_log import RedisLog
from recsys_embed.delta_log.state import Ack, Base, Head, Lag
from recsys_embed.delta_log.writer import Writer

__all__ = [
    "Ack",
    "Base",
    "DeltaLog",
    "DirectoryLog",
    "Entry",
    "Frame",
    "Head",
    "Lag",
    "RedisLog",
    "Writer",
    "open_log",
]
