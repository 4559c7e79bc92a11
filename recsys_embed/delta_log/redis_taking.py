"""The keys of a log in Redis, and how a writer takes it."""

import time
from dataclasses import dataclass

from recsys_embed.delta_log.redis_connection import Connection
from recsys_embed.delta_log.redis_scripts import TAKE
from recsys_embed.delta_log.state import Start
from recsys_embed.delta_log.writer import identity, shown
from recsys_embed.errors import ForeignLogError, WriterHeldError


@dataclass(frozen=True)
class Keys:
    """The keys of a log; the braces keep them on one node of a cluster."""

    name: str
    lineage: str

    @property
    def head(self) -> str:
        return f"recsys:{{{self.name}}}:head"

    @property
    def entries(self) -> str:
        return f"recsys:{{{self.name}}}:entries:{self.lineage}"

    @property
    def lease(self) -> str:
        return f"recsys:{{{self.name}}}:lease"

    @property
    def replicas(self) -> str:
        return f"recsys:{{{self.name}}}:replicas"

    @property
    def of_scripts(self) -> list[str]:
        return [self.head, self.entries, self.lease]


def take(
    connection: Connection,
    log: str,
    keys: Keys,
    start: Start,
    lease_s: float,
    wait_s: float,
    take_over: bool,
) -> tuple[int, int, str]:
    """Makes a new writer the log's; gives its token, the log's last entry and its identity."""
    deadline, writer, base = time.monotonic() + wait_s, identity(), start.base
    asked = (start.lineage, base.number, base.snapshot, writer, round(lease_s * 1000))
    while True:
        said = connection.script(TAKE, keys.of_scripts, *asked, int(take_over), start.number)
        if said[0] == "OK":
            return int(said[1]), int(said[2]), writer
        if said[0] == "FORK":
            raise ForeignLogError(start.fork(log, int(said[1])))
        if said[0] == "BEYOND":
            start.refuse_beyond_base(log)
        if time.monotonic() >= deadline:
            raise WriterHeldError(
                f"{log} is held by the writer {shown(said[1].decode())} with token"
                f" {said[2].decode()}; stop it, wait {lease_s:g} s for its lease, or open with"
                " take_over=True to fence it off"
            )
        time.sleep(0.02)
