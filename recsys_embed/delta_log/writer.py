"""A writer of a delta log, and what every transport's writer checks alike."""

import os
import socket
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self
from uuid import uuid4

from recsys_embed.delta_log.frames import Frame
from recsys_embed.delta_log.state import Base
from recsys_embed.errors import DuplicateEntryError, GapError, InputError


def identity() -> str:
    """Names a new writer: host, process, and what no other writer has.

    A log that was lost begins its tokens anew; the last part tells writers apart even then.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"


def shown(writer: str) -> str:
    """Spells an identity for people: host and process.

    Example:
        >>> shown("trainer-3:4711:0123456789abcdef")
        'trainer-3:4711'
    """
    return writer.rpartition(":")[0]


class Writer(ABC):
    """The one who appends; made by `DeltaLog.open_writer`, let go of by `close` or a with block.

    Concurrency: any thread; one call runs at a time, others wait. Not to be used across a fork.

    Attributes:
        lineage: uuid of its chain.
        token: its fencing number.
    """

    def __init__(self, lineage: str, token: int, number: int, last: Frame | None) -> None:
        self.lineage = lineage
        self.token = token
        self._number = number
        self._last = last
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def number(self) -> int:
        """The last entry of the log, as far as this writer knows."""
        return self._number

    def append(self, number: int, prev: int, data: bytes) -> None:
        """Adds entry `number`, which follows entry `prev`, the head; it is durable on return.

        The last entry may be appended again with the same bytes, to no effect: after a time-out
        nobody knows whether it was written, and appending it again is how to find out.

        Raises:
            InputError: if `number` is not `prev + 1`, or the writer is closed.
            GapError: if the log ends before `prev`.
            DuplicateEntryError: if the log has an entry `number` with other bytes.
            FencedError: if a newer writer has taken the log.
            LogNotFoundError: if the log is gone; open a writer anew, with a new snapshot as base.
            LogUnavailableError: if the log cannot be reached or written; append it again.
        """
        if number != prev + 1:
            raise InputError(f"number: expected {prev + 1}, behind prev = {prev}, got {number}")
        with self._lock:
            self._refuse_closed()
            if self._is_here(number, data):
                return
            now = max(time.time(), self._last.created_s if self._last else 0.0)
            frame = Frame(self.lineage, number, prev, self.token, now).around(data)
            self._store(frame, data)
            self._number, self._last = number, frame

    def _is_here(self, number: int, data: bytes) -> bool:
        if number > self._number + 1:
            raise GapError(
                f"entry {number} cannot follow: the log ends with entry {self._number}; append"
                f" entry {self._number + 1} first"
            )
        if number == self._number + 1:
            return False
        last = self._last
        if number == self._number and last is not None and last.around(data) == last:
            return True
        raise DuplicateEntryError(
            f"entry {number} is in the log with other bytes, which ends with entry {self._number}"
        )

    def trim(self, number: int, base: Base) -> None:
        """Removes the entries up to `number`, and records the snapshot that covers them.

        With `number=0` a newer snapshot is recorded and nothing removed.

        Raises:
            InputError: if `number` is beyond `base.number`, or `base.number` beyond the head.
            FencedError, LogNotFoundError, LogUnavailableError: as `append`.
        """
        with self._lock:
            self._refuse_closed()
            if number > base.number or base.number > self._number:
                raise InputError(
                    f"cannot trim up to entry {number}: the snapshot {base.snapshot!r} covers entry"
                    f" {base.number} and the log ends with {self._number}; expected number <="
                    " base.number <= the log's end"
                )
            self._trim(number, base)

    @abstractmethod
    def _store(self, frame: Frame, data: bytes) -> None:
        """Makes an entry that follows the head durable, at once or not at all."""

    @abstractmethod
    def _trim(self, number: int, base: Base) -> None:
        """Records the base, if it is newer, and removes entries; repeating it does no harm."""

    def close(self) -> None:
        """Lets go of the log, so that the next writer need not wait; closing twice does no harm."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._release()

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise InputError("this writer is closed; open another")

    @abstractmethod
    def _release(self) -> None:
        """Lets go of the log, once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
