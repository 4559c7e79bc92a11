"""The source of a Redis Stream: every read says itself where it goes on."""

import time
from collections import deque
from dataclasses import asdict
from typing import Any

from recsys_embed.errors import SourceError, SourceLostError
from training.online.records import Chunk, Offset
from training.online.sources.intake import Intake
from training.online.sources.redis_client import Away, RedisClient
from training.online.sources.redis_position import Position

FIELD = b"record"
FORGOTTEN_AT_ONCE = 4  # chunks
PAUSE_S = 0.05  # between attempts at a server that is away


class RedisSource:
    """Reads on behind the last record that came, whatever the server or other readers did.

    A read is one transaction: look whether the records behind the last one are all there, set the
    group to that last one, read. An answer that is lost on its way is asked for again.

    Concurrency: one thread.
    """

    is_done = False

    def __init__(
        self, client: RedisClient, stream: str, group: str, consumer: str, intake: Intake
    ) -> None:
        self._client, self._intake = client, intake
        self._stream, self._group, self._consumer = stream, group, consumer
        self._position = Position()
        self._is_placed = False  # the group is there, and nothing pends from before
        self._forgotten = Position()  # what is up to here may be acknowledged
        self._pending: deque[tuple[Position, bytes]] = deque()  # ids of each chunk, with spaces
        self.trouble: str | None = None

    @property
    def malformed(self) -> int:
        """How many entries were passed over."""
        return self._intake.malformed

    def read(self, max_records: int, wait_s: float) -> Chunk | None:
        """Gives what comes next; see `Source`. A server that is away is waited for.

        Raises:
            SourceLostError: if records behind the last one are gone.
            SourceError: if the server refuses.
        """
        deadline = time.monotonic() + wait_s
        while True:
            try:
                self._forget_some()
                if (chunk := self._read(max_records)) is not None and len(chunk):
                    return chunk
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                if chunk is None:
                    self._client.wait(self._stream, self._position.id, left)
            except Away as error:
                self.trouble = f"{error}; still trying"
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                time.sleep(min(PAUSE_S, left))

    def seek(self, offset: Offset | None) -> None:
        """Goes on behind an offset; the group forgets what pends."""
        self._position = Position() if offset is None else Position(**offset)
        self._pending.clear()
        self._forgotten = Position()
        self._is_placed = False
        try:
            self._place()
        except Away:
            pass  # the next read waits for the server

    def forget(self, offset: Offset) -> None:
        """Acknowledges what came up to an offset, by and by; later, if the server is away."""
        self._forgotten = Position(**offset)
        try:
            self._forget_some()
        except Away:
            pass  # the next read does it

    def _forget_some(self) -> None:
        """Acknowledges a little at each read: a snapshot's worth at once would take seconds."""
        for _ in range(FORGOTTEN_AT_ONCE):
            if not self._pending or not self._pending[0][0] <= self._forgotten:
                return
            self._acknowledge(self._pending[0][1].split())
            self._pending.popleft()

    def lag(self) -> int | None:
        """How many records wait; None where the server (before Redis 7) does not count them."""
        try:
            (info,) = self._client.transaction(lambda p: p.xinfo_stream(self._stream))
        except Away:
            return None
        return None if isinstance(info, Exception) else self._position.lag(info)

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _read(self, max_records: int) -> Chunk | None:
        """Reads once; None: there is nothing. A chunk without records held malformed ones alone."""
        if not self._is_placed:
            self._place()
        here = self._position

        def look_and_read(p: Any) -> None:
            p.xrange(self._stream, here.id, here.id, count=1)
            p.xinfo_stream(self._stream)
            p.xgroup_setid(self._stream, self._group, here.id, entries_read=here.number)
            p.xreadgroup(self._group, self._consumer, {self._stream: ">"}, count=max_records)

        there, info, placed, found = self._client.transaction(look_and_read)
        self._check(info, there)
        if isinstance(placed, Exception):  # someone removed the group
            self._is_placed = False
            raise Away(f"{self}: {placed}")
        self.trouble = None
        if isinstance(found, Exception):
            raise SourceError(f"{self}: {found}")
        if not found:
            return None
        entries = found[0][1]
        self._position = self._position.looked_at(info).after(entries[-1][0].decode(), len(entries))
        if len(entries) < max_records:  # all there is
            self._position = self._position.at_end(info)
        self._pending.append((self._position, b" ".join(id for id, _ in entries)))
        records = self._intake.records(fields.get(FIELD) for _, fields in entries)
        return Chunk(records, asdict(self._position))

    def _acknowledge(self, ids: list[bytes]) -> None:
        self._client.transaction(lambda p: p.xack(self._stream, self._group, *ids))

    def _place(self) -> None:
        """Makes the group anew where reading goes on; nothing of it pends then."""
        here = self._position

        def look(p: Any) -> None:
            p.xrange(self._stream, here.id, here.id, count=1)
            p.xinfo_stream(self._stream)

        def make(p: Any) -> None:
            p.xgroup_destroy(self._stream, self._group)
            p.xgroup_create(self._stream, self._group, here.id, mkstream=here.is_beginning)

        there, info = self._client.transaction(look)
        self._check(info, there)
        _, made = self._client.transaction(make)
        if isinstance(made, Exception):
            raise Away(f"{self}: {made}")
        self._is_placed = True

    def _check(self, info: Any, there: Any) -> None:
        """Refuses to go on over a gap.

        Raises:
            SourceLostError: if records are gone.
        """
        if isinstance(info, Exception):
            if "no such key" not in str(info):
                raise SourceError(f"{self}: {info}")
            fault = None if self._position.is_beginning else "is not there: it was removed or lost"
        else:
            fault = self._position.lost(info, bool(there))
        if fault is not None:
            raise SourceLostError(
                f"{self} {fault}, while reading goes on behind {self._position.id}; what is missing"
                " cannot be trained on any more. Restore the stream, or take the loss and begin a"
                " new run with what is there"
            )

    def __str__(self) -> str:
        return f"stream {self._stream} in {self._client.shown_url}"
