"""The thread that follows a log: what it has applied is served, what it refuses is named."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from time import time

from recsys_embed.delta_log import DeltaLog
from recsys_embed.errors import RecsysEmbedError
from serving.following.standing import Standing
from serving.following.steps import Heed, Steps, heed_nothing
from serving.lookup import LookupService

logger = logging.getLogger(__name__)
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


class Follower:
    """Keeps a service at the end of a log, in a thread of its own.

    Every service it gives is of one entry; those of one lineage come in the order of their entries.

    Args:
        log: what to follow.
        replica: its name there.
        serve: takes the next service to answer from.
        folder: where the trainer's snapshots are if they are not where it wrote them. If the log
            cannot be had at the start, the newest in it is served.
        heed: takes each next service before `serve` does, with the deltas that lead to it; where it
            stands on another snapshot than the one before, with those behind it that bring arrays.
    """

    def __init__(
        self,
        log: DeltaLog,
        replica: str,
        serve: Callable[[LookupService], None],
        folder: Path | None = None,
        heed: Heed = heed_nothing,
    ) -> None:
        self._steps = Steps(log, replica, serve, folder, heed)
        self._log = str(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    @property
    def standing(self) -> Standing:
        """Where it stands now."""
        return self._steps.standing

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stops following; what is served stays."""
        self._stopping.set()
        self._thread.join()
        self._steps.stop()

    def _run(self) -> None:
        pause_s = LEAST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self._steps.step()
                self._recover()
                pause_s = LEAST_PAUSE_S
            except Exception as error:
                self._degrade(error)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _recover(self) -> None:
        standing = self.standing
        if standing.reason is not None:
            logger.warning("%s: follows again, at entry %d", self._log, standing.number)
        behind_since = standing.behind_since if standing.lag_entries else None
        self._steps.stand(reason=None, behind_since=behind_since)

    def _degrade(self, error: Exception) -> None:
        """Names what keeps it from going on; what is served stays."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self.standing.reason:
            is_ours = isinstance(error, (RecsysEmbedError, OSError))
            logger.warning("%s: %s", self._log, reason, exc_info=None if is_ours else error)
        self._steps.refused(error)
        self._steps.stand(reason=reason, behind_since=self.standing.behind_since or time())
        try:
            self._steps.fall_back()
        except RecsysEmbedError as missing:
            logger.warning("%s: nor can the snapshot at hand be served: %s", self._log, missing)
