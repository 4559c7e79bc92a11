"""What a worker holds while it runs."""

from collections.abc import Callable
from pathlib import Path

from recsys_embed.delta_log import open_log
from serving.following import Follower
from serving.following.replicas import Place, replica_name
from serving.lookup import LookupService
from serving.metrics import Metrics
from serving.settings import Settings


class State:
    """Settings, counters and the service; `service` is None before there is something to serve.

    `follower` is None unless the settings name a log. It gives one service after another; when it
    gives the first, `settled` is called.
    """

    def __init__(
        self,
        settings: Settings,
        counts: Path | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings, self._settled = settings, settled
        self.service: LookupService | None = None
        self.follower = None if settings.follow is None else self._follower(settings.follow, counts)
        self.metrics = Metrics(
            lambda: self.service,
            counts,
            lambda: None if self.follower is None else self.follower.standing,
        )

    def _follower(self, log: str, counts: Path | None) -> Follower:
        replica = self.settings.replica or replica_name(self.settings.port)
        if counts is not None:
            self._place = Place(counts)
            replica = f"{replica}-{self._place.number}"
        return Follower(open_log(log), replica, self._serve, self.settings.snapshot)

    def _serve(self, service: LookupService) -> None:
        is_first, self.service = self.service is None, service
        if is_first:
            self._settled()
