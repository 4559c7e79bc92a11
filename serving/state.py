"""What a worker holds while it runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_embed.delta_log import open_log
from recsys_embed.deltas import Delta
from recsys_embed.retrieval.description import EXTRA
from serving.following import Follower
from serving.following.replicas import Place, replica_name
from serving.lookup import LookupService
from serving.metrics import Metrics
from serving.retrieval_http.writers import Writers
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.retrieval.asked import IndexInfo
    from serving.retrieval.retriever import Retriever


class State:
    """Settings, counters and the service; `service` is None before there is something to serve.

    `follower` is None unless the settings name a log. It gives one service after another; when it
    gives the first, `settled` is called. `retriever` is None until a snapshot says how to retrieve.
    """

    def __init__(
        self,
        settings: Settings,
        counts: Path | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings, self._settled = settings, settled
        self.writers = Writers()
        self.service: LookupService | None = None
        self.retriever: Retriever | None = None
        self.follower = None if settings.follow is None else self._follower(settings.follow, counts)
        self.metrics = Metrics(
            lambda: self.service,
            counts,
            lambda: None if self.follower is None else self.follower.standing,
            self.indexes,
        )

    def _follower(self, log: str, counts: Path | None) -> Follower:
        replica = self.settings.replica or replica_name(self.settings.port)
        if counts is not None:
            self._place = Place(counts)
            replica = f"{replica}-{self._place.number}"
        return Follower(open_log(log), replica, self._serve, self.settings.snapshot, self._heed)

    def begin(self, service: LookupService) -> None:
        """Serves one snapshot.

        Raises:
            ConfigError, SnapshotError, DeltaLogError: if its retrieval cannot be served.
        """
        self._heed(service, ())
        self._serve(service)

    def end(self) -> None:
        """Serves nothing any more; writes under way are made durable first."""
        self.service, retriever, self.retriever = None, self.retriever, None
        self.writers.close()
        self.writers = Writers()  # for whoever begins again; its threads begin with its writes
        if retriever is not None:
            retriever.close()

    def _serve(self, service: LookupService) -> None:
        is_first, self.service = self.service is None, service
        if is_first and self.follower is not None:
            self._settled()

    def _heed(self, service: LookupService, deltas: Sequence[Delta]) -> None:
        """Brings retrieval to where the service is about to be, if there is any."""
        if self.retriever is not None:
            self.retriever.heed(service, deltas)
        elif service.snapshot is not None and EXTRA in service.snapshot.extra:
            self.retriever = self._retriever(service, deltas)

    def _retriever(self, service: LookupService, deltas: Sequence[Delta]) -> "Retriever":
        from serving.retrieval.retriever import Options, Retriever  # faiss and onnxruntime follow

        settings = self.settings
        options = Options(
            threads=settings.search_threads,
            shadow_share=settings.shadow_share,
            bridge_recall=settings.bridge_recall,
            is_alone=settings.workers == 1,
        )
        items = None if settings.items is None else open_log(settings.items)
        return Retriever(service, deltas, options, items)

    def indexes(self) -> "Sequence[IndexInfo]":
        """Tells how each index stands; none without retrieval."""
        retriever = self.retriever
        if retriever is None:
            return ()
        return [retriever.stats(name) for name in retriever.indexes()]
