"""A delta log in Redis Streams: the transport over the network, an entry in chunks."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from recsys_embed.delta_log.frames import Frame, load_frame
from recsys_embed.delta_log.protocol import DeltaLog
from recsys_embed.delta_log.reading import Stored
from recsys_embed.delta_log.redis_connection import Connection, shown_url
from recsys_embed.delta_log.redis_taking import Keys, take
from recsys_embed.delta_log.redis_writer import RedisWriter
from recsys_embed.delta_log.state import (
    EMPTY,
    Ack,
    Base,
    Head,
    Start,
    checked_lineage,
    checked_replica,
    load_ack,
)
from recsys_embed.errors import InputError, LogNotFoundError

RECORDS = 4  # of up to 1 MiB, a round trip
FRAMES = 64  # a round trip


class RedisLog(DeltaLog):
    """A log in a Redis server of version 6.2 or later; `docs/formats.md` has the keys.

    No command takes longer than `timeout_s`, and none is repeated unasked. A writer holds a lease,
    which a thread renews; one that is killed is succeeded when its lease has run out. How much of a
    log outlives the server is the server's business (`appendfsync`); a log that was lost is named.

    Concurrency: as `DeltaLog`.

    Args:
        url: of the server, as redis-py takes it: redis://host:port/db, rediss://…, unix://….
        name: of the log, 1 to 64 letters, digits, `_`, `.` and `-`.
        timeout_s: how long to wait for a connection and for an answer.
        lease_s: how long a writer that says nothing keeps the log.
    """

    def __init__(
        self, url: str, name: str, *, timeout_s: float = 1.0, lease_s: float = 10.0
    ) -> None:
        if not lease_s >= 0.01:
            raise InputError(f"lease_s: expected at least 0.01 seconds, got {lease_s!r}")
        self._name = checked_replica(name)
        self._connection = Connection(url, timeout_s)
        self._lease_s = lease_s

    def __str__(self) -> str:
        return f"log {self._name} in {shown_url(self._connection.url)}"

    def head(self) -> Head:
        found = self._connection.call("HGETALL", Keys(self._name, "").head)
        if not found:
            raise LogNotFoundError(
                f"{self}: there is none; its first writer begins it. If there was one, the server"
                " has lost it: let the trainer take a snapshot and open it anew"
            )
        values = {key.decode(): value.decode() for key, value in found.items()}
        base = Base(int(values["base"]), values["snapshot"])
        number, token, trimmed = (int(values[key]) for key in ("number", "token", "trimmed"))
        return Head(values["lineage"], number, token, trimmed, base, values["writer"])

    def open_writer(
        self,
        lineage: str,
        *,
        base: Base = EMPTY,
        number: int | None = None,
        wait_s: float = 0.0,
        take_over: bool = False,
    ) -> RedisWriter:
        start = Start.of(lineage, base, number)
        keys = Keys(self._name, start.lineage)
        token, head, writer = take(
            self._connection, str(self), keys, start, self._lease_s, wait_s, take_over
        )
        last = next(self.frames(head - 1), None)
        return RedisWriter(
            self._connection, str(self), keys, writer, self._lease_s, token, head, last
        )

    def acknowledge(self, replica: str, number: int, *, lineage: str) -> None:
        ack = json.dumps(asdict(Ack(checked_lineage(lineage), number, time.time())))
        key = Keys(self._name, "").replicas
        self._connection.call("HSET", key, checked_replica(replica), ack)

    def replicas(self) -> dict[str, Ack]:
        found = self._connection.call("HGETALL", Keys(self._name, "").replicas)
        named = {name.decode(): ack for name, ack in sorted(found.items())}
        return {name: load_ack(ack, f"{self}: {name}") for name, ack in named.items()}

    def forget(self, replica: str) -> None:
        self._connection.call("HDEL", Keys(self._name, "").replicas, checked_replica(replica))

    def frames(self, after: int) -> Iterator[Frame]:
        head = self.head()
        key = Keys(self._name, head.lineage).entries
        for first in range(max(after, head.trimmed) + 1, head.number + 1, FRAMES):
            numbers = range(first, min(first + FRAMES, head.number + 1))
            last = [("XREVRANGE", key, f"{n}", f"{n}-0", "COUNT", 1) for n in numbers]
            for number, found in zip(numbers, self._connection.calls(last), strict=True):
                for _, fields in found:
                    yield load_frame(fields.get(b"header", b""), f"entry {number} of {self}")

    def stored(self, after: int) -> Iterator[Stored]:
        records, chunks = self._records(after), list[bytes]()
        current = None
        for number, fields in records:
            if current not in (None, number):
                yield Stored(current, b"", b"".join(chunks))
                chunks = []
            current = number
            if (header := fields.get(b"header")) is None:
                chunks.append(fields.get(b"data", b""))
            else:
                yield Stored(number, header, b"".join(chunks))
                current, chunks = None, []
        if current is not None:
            yield Stored(current, b"", b"".join(chunks))

    def _records(self, after: int) -> Iterator[tuple[int, dict[bytes, bytes]]]:
        """Gives the records of the stream beyond an entry, as they come."""
        key = Keys(self._name, self.head().lineage).entries
        start: Any = f"{after + 1}-0"
        while found := self._connection.call("XRANGE", key, start, "+", "COUNT", RECORDS):
            for id, fields in found:
                yield int(id.partition(b"-")[0]), fields
            start = b"(" + found[-1][0]

    def close(self) -> None:
        self._connection.close()
