"""Where records come from: each kind of source is described by its frozen config."""

from training.online.sources.protocol import Source
from training.online.sources.replay import Replay

SourceConfig = Replay

__all__ = ["Replay", "Source", "SourceConfig"]
