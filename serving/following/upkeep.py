"""Work that takes long, beside the following: counting, merging, opening a newer snapshot."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from recsys_embed.delta_log import Base, Head
from recsys_embed.errors import SnapshotError
from recsys_embed.layers import LayeredTables
from serving.following.reading import open_warm

logger = logging.getLogger(__name__)
MOST_LAYERS = 24
NICENESS = 5
SHARE = 4  # a newer snapshot is worth opening once the layers have a fourth of the rows beneath

Change = Callable[[LayeredTables], LayeredTables]


class Upkeep:
    """One task at a time in a thread of its own; what comes of it is fetched by the follower."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "upkeep", _step_back)
        self._counting: Future[int] | None = None
        self._merging: Future[Change] | None = None
        self._opening: Future[LayeredTables] | None = None
        self._opened = Base()

    def begin(self, tables: LayeredTables, head: Head) -> None:
        """Begins what is worth doing, if nothing is under way."""
        if self._merging or self._opening:
            return
        base = head.base
        if base.number > tables.base and base != self._opened and is_worth_opening(tables):
            self._opened = base
            self._opening = self._thread.submit(open_warm, base, head.lineage, self._folder)
        elif merging := tables.merging():
            self._merging = self._thread.submit(merging)

    def count(self, tables: LayeredTables) -> None:
        """Has the rows counted, so that nobody who asks has to wait for it."""
        if self._counting is None or self._counting.done():
            self._counting = self._thread.submit(tables.count)

    def merged(self, tables: LayeredTables) -> LayeredTables:
        """Gives the tables with the layers merged, if that is done; waits for it if it must."""
        if self._merging is None:
            return tables
        if not self._merging.done() and tables.num_layers <= MOST_LAYERS:
            return tables
        merging, self._merging = self._merging, None
        return merging.result()(tables)

    def opened(self) -> LayeredTables | None:
        """Gives the newer snapshot, if one is open by now."""
        if self._opening is None or not self._opening.done():
            return None
        opening, self._opening = self._opening, None
        try:
            return opening.result()
        except (SnapshotError, OSError) as error:
            logger.warning("cannot begin from the newer snapshot, going on as before: %s", error)
            return None

    def forget(self) -> None:
        """Lets what is under way come to nothing: the tables are others now."""
        self._merging = self._opening = None

    def stop(self) -> None:
        """Waits for what is under way."""
        self._thread.shutdown(cancel_futures=True)


def is_worth_opening(tables: LayeredTables) -> bool:
    """Says whether the layers are large, compared with the snapshot beneath."""
    beneath = sum(table.base.num_rows for table in tables.tables.values())
    return tables.layer_rows * SHARE > beneath


def _step_back() -> None:
    """Lets threads that answer go first where cores are few; Linux has a niceness per thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
