"""Shadow recall: some real queries are searched exactly as well, in the background."""

import logging
import queue
import random
import threading
from collections import deque
from weakref import WeakKeyDictionary

import numpy as np

from recsys_embed.index.config import Parameters
from serving.retrieval.asked import Floats
from serving.retrieval.searching import Searched
from serving.retrieval.threads import step_back
from serving.retrieval.version import Version

logger = logging.getLogger(__name__)
WAITING = 64  # sampled queries that may wait; further ones are let go
ENOUGH = 200  # measured queries before an index is tuned anew, and between two times
KEPT = 512  # queries that it is tuned with
TUNED = Parameters()


class Shadow:
    """Measures the recall of a share of all searches, and has an index tuned anew that falls short.

    Exact searches take much longer than the others, so they run in one thread that steps back, and
    what is sampled faster than it can measure is let go.

    Args:
        share: of searches, in [0, 1]; 0 measures nothing.
        seed: of the draw; None: another each time.
    """

    def __init__(self, share: float, seed: int | None = None) -> None:
        self._share, self._draw = share, random.Random(seed)
        self._waiting = queue.Queue[Searched | None](WAITING)
        self._recent = WeakKeyDictionary[Version, deque[Floats]]()
        self._thread = threading.Thread(target=self._run, name="shadow-recall", daemon=True)
        if share:
            self._thread.start()

    def offer(self, found: Searched) -> None:
        """Takes an answered question into the sample, or not; never waits."""
        if self._share <= self._draw.random() or not _is_typical(found):
            return
        try:
            self._waiting.put_nowait(found)
        except queue.Full:
            pass

    def wait(self) -> None:
        """Waits until what was sampled is measured."""
        self._waiting.join()

    def close(self) -> None:
        """Ends the thread."""
        if self._share:
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        step_back()
        while (found := self._waiting.get()) is not None:
            try:
                self._measure(found)
            except Exception:
                logger.exception("a search could not be measured")
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def _measure(self, found: Searched) -> None:
        ask, query, _, where, _ = found.prepared
        exclude = [np.unique(query.exclude)] if len(query.exclude) else None
        true = found.view.exact(query.vectors, ask.k, where=where, exclude=exclude)
        version = query.serving.version
        version.recall.add(found.ids[: ask.k], true.ids[0, : true.counts[0]])
        recent = self._recent.setdefault(version, deque(maxlen=KEPT))
        recent.append(query.vectors[0])
        self._tune(version, recent)

    def _tune(self, version: Version, recent: "deque[Floats]") -> None:
        recall, count = version.recall.estimate
        target = version.generation.bundle.parts[version.index].config.target_recall
        if recall is None or recall >= target or count < ENOUGH:
            return
        logger.warning(
            "%s finds %.3f of what exact search finds, expected %.3f: tuned anew with the last %d"
            " queries", version.name, recall, target, len(recent),
        )  # fmt: skip
        version.live.retune(np.stack(list(recent)))
        version.recall.forget()


def _is_typical(found: Searched) -> bool:
    """Tells whether a search shows how the index does: one query vector, searched as tuned."""
    return found.prepared.ask.parameters == TUNED and len(found.query.vectors) == 1
