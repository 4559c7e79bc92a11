"""The writer of a log in Redis: its lease, its chunks that become an entry at once, its trim."""

import threading
from typing import Any

from recsys_embed.delta_log.frames import Frame, dump_frame
from recsys_embed.delta_log.redis_connection import Connection
from recsys_embed.delta_log.redis_scripts import APPEND, RENEW, TRIM
from recsys_embed.delta_log.redis_taking import Keys
from recsys_embed.delta_log.state import Base
from recsys_embed.delta_log.writer import Writer, shown
from recsys_embed.errors import (
    DuplicateEntryError,
    FencedError,
    GapError,
    LogNotFoundError,
    LogUnavailableError,
)

CHUNK_BYTES = 1 << 20


class RedisWriter(Writer):
    """The writer of a `RedisLog`; a thread renews its lease until it is closed or fenced.

    A lease that has run out while nobody else took the log is taken up again: the token decides.

    Concurrency: as `Writer`.
    """

    def __init__(
        self,
        connection: Connection,
        log: str,
        keys: Keys,
        writer: str,
        lease_s: float,
        token: int,
        number: int,
        last: Frame | None,
    ) -> None:
        super().__init__(keys.lineage, token, number, last)
        self._connection = connection
        self._log = log
        self._keys = keys
        self._own = (token, writer)
        self._lease_ms = round(lease_s * 1000)
        self._attempt = 0
        self._closed = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="delta-log-lease", daemon=True)
        self._renewing.start()

    def _store(self, frame: Frame, data: bytes) -> None:
        """Sends chunks; the last carries the header and makes the entry the head, or none does."""
        self._attempt += 1
        header, view = dump_frame(frame), memoryview(data)
        starts = range(0, len(data) or 1, CHUNK_BYTES)
        for chunk, start in enumerate(starts):
            place = (frame.number, frame.prev, self._attempt, chunk)
            part = view[start : start + CHUNK_BYTES]
            end = header if chunk == len(starts) - 1 else b""
            said = self._run(APPEND, *place, part, end, _hash(frame), self._lease_ms)
            if said[0] == "HERE" and _is(said, frame):
                return
            self._refuse(said, frame)

    def _refuse(self, said: list[Any], frame: Frame) -> None:
        where = f"{self._log}: entry {frame.number}"
        if said[0] == "HERE":
            raise DuplicateEntryError(f"{where} is in the log with other bytes")
        if said[0] == "GAP":
            raise GapError(
                f"{where} cannot follow: the log ends with entry {said[1].decode()}; the server was"
                " restored from an older state. Take a snapshot and open a new lineage behind it"
            )
        if said[0] == "STALE":
            raise LogUnavailableError(f"{where}: an earlier attempt arrived late; append it again")

    def _run(self, script: str, *arguments: Any) -> list[Any]:
        said = self._connection.script(script, self._keys.of_scripts, *self._own, *arguments)
        if said[0] == "LOST":
            raise LogNotFoundError(
                f"{self._log} is gone: the server has lost it, or it was removed; take a snapshot"
                " and open a writer with it as the base"
            )
        if said[0] == "FENCED":
            raise FencedError(
                f"{self._log}: expected the token {self.token} of this writer, found"
                f" {said[1].decode()} of {shown(said[2].decode())}, which has taken the log; stop"
                " this one"
            )
        return said

    def _trim(self, number: int, base: Base) -> None:
        self._run(TRIM, number, f"{number + 1}-0", base.number, base.snapshot)

    def _renew(self) -> None:
        while not self._closed.wait(self._lease_ms / 3000):
            try:
                self._run(RENEW, self._lease_ms)
            except LogUnavailableError:
                continue
            except (FencedError, LogNotFoundError):
                return

    def _release(self) -> None:
        """Lets go of the lease, if the server answers; else it runs out by itself."""
        self._closed.set()
        self._renewing.join()
        try:
            self._run(RENEW, 0)
        except (FencedError, LogNotFoundError, LogUnavailableError):
            pass


def _hash(frame: Frame) -> str:
    return f"{frame.nbytes}:{frame.data_hash:016x}"


def _is(said: list[Any], frame: Frame) -> bool:
    return bool(said[1].decode() == _hash(frame))
