"""What a worker holds while it runs."""

from pathlib import Path

from serving.lookup import LookupService
from serving.metrics import Metrics
from serving.settings import Settings


class State:
    """Settings, counters and the service; `service` is None before a snapshot is loaded."""

    def __init__(self, settings: Settings, counts: Path | None = None) -> None:
        self.settings = settings
        self.service: LookupService | None = None
        self.metrics = Metrics(lambda: self.service, counts)
