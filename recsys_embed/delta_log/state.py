"""What a delta log knows besides its entries: its head, its base, its replicas."""

import json
import re
from dataclasses import dataclass
from uuid import UUID

from recsys_embed.config import from_dict
from recsys_embed.errors import ConfigError, DamagedEntryError, InputError

REPLICA = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Base:
    """A snapshot that holds everything up to an entry; entry 0 is the empty tables.

    Attributes:
        number: the last entry that it covers.
        snapshot: where it is, in the writer's words: a path, a number, an address.

    Raises:
        InputError: for a negative number, or one beyond 0 without a snapshot.
    """

    number: int = 0
    snapshot: str = ""

    def __post_init__(self) -> None:
        if self.number < 0 or (self.number > 0 and not self.snapshot):
            raise InputError(
                f"base: expected a number of at least 0, and a snapshot where it is beyond 0; got"
                f" {self!r}. A reader behind the base has nothing else to start from"
            )


EMPTY = Base()


@dataclass(frozen=True)
class Start:
    """Where a writer begins: a lineage, a snapshot, the entry that the trainer's state is at."""

    lineage: str
    base: Base
    number: int

    @classmethod
    def of(cls, lineage: str, base: Base, number: int | None) -> "Start":
        """Checks what a writer asks for.

        Raises:
            InputError: for a lineage that is no uuid, or a number before the base.
        """
        at = base.number if number is None else number
        if at < base.number:
            raise InputError(
                f"number: expected at least {base.number}, which the base covers, got {at}"
            )
        return cls(checked_lineage(lineage), base, at)

    def fork(self, log: str, head: int) -> str:
        """Says why the chain cannot go on from here."""
        return (
            f"{log} ends with entry {head} of this lineage, and the trainer's state is that of"
            f" entry {self.number}: what follows would be a fork; apply the entries between, or"
            " take a new lineage for it"
        )

    def refuse_beyond_base(self, log: str) -> None:
        """Refuses a new lineage that does not begin right behind its base.

        Raises:
            InputError: naming both numbers.
        """
        if self.number != self.base.number:
            raise InputError(
                f"{log} is not of lineage {self.lineage}, so that the entries up to {self.number}"
                f" behind the base, entry {self.base.number}, are nowhere; take a snapshot, and a"
                " new lineage with it as the base"
            )


@dataclass(frozen=True)
class Head:
    """The end of a log.

    Attributes:
        lineage: uuid of its chain.
        number: the last entry; that of the base where there is none yet.
        token: fencing number of its last writer.
        trimmed: the last entry that is gone.
        base: the newest snapshot that covers everything trimmed.
        writer: host and process of its last writer.
    """

    lineage: str
    number: int
    token: int
    trimmed: int
    base: Base
    writer: str


@dataclass(frozen=True)
class Ack:
    """What a replica has applied: every entry of a lineage up to one; and when it said so."""

    lineage: str
    number: int
    time_s: float


@dataclass(frozen=True)
class Lag:
    """How far a replica is behind.

    Attributes:
        ack: what it has acknowledged.
        entries: how many entries it has yet to apply. None if it follows another lineage or stands
            beyond the head, and so must begin from a snapshot.
        seconds: how long the oldest of them that is still there has been waiting; None likewise.
    """

    ack: Ack
    entries: int | None
    seconds: float | None


def load_ack(text: bytes, where: str) -> Ack:
    """Reads an acknowledgement from its JSON.

    Raises:
        DamagedEntryError: if it is none.
    """
    try:
        return from_dict(Ack, json.loads(text), "ack")
    except (ValueError, ConfigError) as error:
        raise DamagedEntryError(f"{where}: expected an acknowledgement: {error}") from None


def checked_lineage(lineage: str) -> str:
    """Spells a uuid in its usual form.

    Raises:
        InputError: if it is none.

    Example:
        >>> checked_lineage("0000000000000000000000000000002A")
        '00000000-0000-0000-0000-00000000002a'
    """
    try:
        return str(UUID(lineage))
    except (ValueError, AttributeError, TypeError):
        raise InputError(
            f"lineage: expected a uuid like {UUID(int=42)}, got {lineage!r}; uuid.uuid4() makes one"
        ) from None


def checked_replica(name: str) -> str:
    """Gives a replica's name back.

    Raises:
        InputError: if it is not one.
    """
    if not REPLICA.fullmatch(name):
        raise InputError(
            f"replica: expected 1 to 64 letters, digits, '_', '.' or '-', not beginning with a dot;"
            f" got {name!r}"
        )
    return name
