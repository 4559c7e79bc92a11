"""What an index is due, and the thread that sees to it."""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from recsys_embed.index.building import kind_for
from recsys_embed.index.state import State

logger = logging.getLogger(__name__)
REST = 2.0  # times as long as the work took, so that upkeep takes at most a third of a core
LONGEST_REST_S = 10.0
RETRY_S, LONGEST_RETRY_S = 1.0, 60.0  # twice as long each time that the work fails again
MORE_STEPS = 1.5


def folding_is_due(state: State) -> bool:
    """Tells whether fresh or dead items slow searches down more than a folding would."""
    if state.engine.is_exact:
        return False
    limit = state.config.fresh_limit or max(1024, state.tuning.trained // 64)
    forgettable = state.stale if state.engine.forgets else 0
    return max(state.size - state.folded, forgettable) >= limit


def rebuilding_is_due(state: State) -> bool:
    """Tells whether an index should be built anew.

    It should when another kind of engine suits the number of items, when that doubled, when a
    quarter as many were written since the engine's build, when foldings had to widen its searches
    by half, when half of the slots are dead, or when a fifth of what an engine finds is dead and it
    cannot forget them.
    """
    engine, trained, least = state.engine, state.tuning.trained, 1024
    if _other_kind(state) or state.size - state.alive > max(least, state.size // 2):
        return True
    if engine.is_exact:  # nothing to train, but how a filter is met hangs on measured times
        return state.alive > 2 * max(least, trained)
    newer, steps = state.size - trained, engine.parameters.nprobe or engine.parameters.ef or 0
    return (
        state.alive > 2 * max(1, trained)
        or newer > max(least, state.alive // 4)
        or steps > max(state.tuning.steps + 1, MORE_STEPS * state.tuning.steps)
        or (not engine.forgets and state.stale > max(least, state.folded // 5))
    )


def _other_kind(state: State) -> bool:
    """Tells whether auto would choose between exact and not exact otherwise, by a wide margin."""
    config, alive = state.config, state.alive
    if config.kind != "auto":
        return state.engine.is_exact and config.kind != "exact" and alive >= 1024
    if state.engine.is_exact:
        return kind_for(config, alive) != "exact"
    return alive < config.exact_below // 2


class Keeper:
    """A thread that does one kind of work whenever it is woken; it ends when its owner is gone.

    Args:
        owner: held weakly.
        work: does one piece of work for the owner, if one is due, and tells whether one was.
    """

    def __init__(self, owner: object, work: Callable[[Any], bool]) -> None:
        self._woken, self._closed = threading.Event(), threading.Event()
        self._start = threading.Lock()
        self._owner = weakref.ref(owner, lambda _: self.close())
        self._work, self._retry_s = work, RETRY_S
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
        owner, start = self._owner(), time.monotonic()
        try:
            worked = owner is not None and self._work(owner)
            rest_s, self._retry_s = min(REST * (time.monotonic() - start), LONGEST_REST_S), RETRY_S
        except Exception:
            worked, rest_s = True, self._retry_s
            self._retry_s = min(2 * rest_s, LONGEST_RETRY_S)
            logger.exception("upkeep of an index failed; it is tried again in %g s", rest_s)
        del owner  # while it rests, the owner may go
        if worked:
            self._closed.wait(rest_s)
        return worked
