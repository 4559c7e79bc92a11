"""What an index is due, and the thread that sees to it."""

import logging
import threading
import time
import weakref
from typing import Literal, Protocol

from recsys_embed.index.building import kind_for
from recsys_embed.index.state import State

logger = logging.getLogger(__name__)
Work = Literal["fold", "rebuild"]
REST = 2.0  # times as long as the work took, so that upkeep takes at most a third of a core
LONGEST_REST_S = 10.0
RETRY_S = 1.0


def due(state: State) -> Work | None:
    """Tells what an index needs now, if anything.

    It is built anew when another kind of engine suits the number of items, when that doubled, when
    half of the items are newer than the centroids, when half of the slots are dead, or when a
    fifth of what an engine finds is dead and it cannot forget them.
    """
    config, engine, trained = state.config, state.engine, max(1, state.tuning.trained)
    if _other_kind(state):
        return "rebuild"
    newer, dead = state.size - state.tuning.trained, state.size - state.alive
    small = max(1024, state.alive // 2)
    if not engine.is_exact and (state.alive > 2 * trained or newer > small):
        return "rebuild"
    if dead > max(1024, state.size // 2):
        return "rebuild"
    if not engine.is_exact and not engine.forgets and state.stale > max(1024, state.folded // 5):
        return "rebuild"
    limit = config.fresh_limit or max(1024, trained // 64)
    forgettable = state.stale if engine.forgets else 0
    return "fold" if max(state.size - state.folded, forgettable) >= limit else None


def _other_kind(state: State) -> bool:
    """Tells whether auto would choose between exact and not exact otherwise, by a wide margin."""
    config, alive = state.config, state.alive
    if config.kind != "auto":
        return state.engine.is_exact and config.kind != "exact" and alive >= 1024
    if state.engine.is_exact:
        return kind_for(config, alive) != "exact"
    return alive < config.exact_below // 2


class Kept(Protocol):
    """What the thread needs of an index."""

    def maintain(self) -> bool: ...


class Keeper:
    """A thread that maintains an index whenever it is woken; it ends when the index is gone.

    Args:
        index: held weakly.
    """

    def __init__(self, index: Kept) -> None:
        self._woken, self._closed = threading.Event(), threading.Event()
        self._start = threading.Lock()
        self._index = weakref.ref(index, lambda _: self.close())
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Lets the thread look what is due; the first call starts it."""
        self._woken.set()
        if self._thread is None:
            with self._start:
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(
                        target=self._run, name="index-upkeep", daemon=True
                    )
                    self._thread.start()

    def close(self) -> None:
        """Ends the thread after what it is at."""
        self._closed.set()
        self._woken.set()

    def join(self, timeout_s: float) -> None:
        """Waits for the thread to end."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._woken.wait()
            self._woken.clear()
            while not self._closed.is_set() and self._step():
                pass

    def _step(self) -> bool:
        index, start = self._index(), time.monotonic()
        try:
            worked = index is not None and index.maintain()
        except Exception:
            logger.exception("upkeep of an index failed; it goes on as it is and is tried again")
            self._closed.wait(RETRY_S)
            return True
        del index  # while it rests, the index may go
        if worked:
            self._closed.wait(min(REST * (time.monotonic() - start), LONGEST_REST_S))
        return worked
