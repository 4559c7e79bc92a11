"""Ctrl-C and SIGTERM become a question the loop asks between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(Exception):
    """The run was asked to stop, and has kept everything it needs to go on."""

    def __init__(
        self, signal_number: int, step: int, how: str = "--resume goes on from there"
    ) -> None:
        super().__init__(f"stopped at step {step}; {how}")
        self.signal_number = signal_number


class Interruption:
    """Remembers the first SIGINT or SIGTERM while entered; a second one takes its usual effect.

    Signals reach the main thread alone; in another one nothing is installed.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)
