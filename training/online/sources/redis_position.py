"""Where a reader stands in a Redis Stream, and whether what follows is still all there."""

from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Any

BEGINNING = "0-0"


@total_ordering
@dataclass(frozen=True)
class Position:
    """Behind the record `id`.

    Args:
        id: of the last record that was read.
        number: how many records the stream has had up to there, since it was made; None where the
            server does not count them (before Redis 7) or nobody has looked yet.
    """

    id: str = BEGINNING
    number: int | None = None

    def __lt__(self, other: "Position") -> bool:
        return _parts(self.id) < _parts(other.id)

    @property
    def is_beginning(self) -> bool:
        """Whether nothing was read yet."""
        return self.id == BEGINNING

    def looked_at(self, info: dict[str, Any]) -> "Position":
        """Counts what a stream had before its first record, from the beginning."""
        added = info.get("entries-added")
        if not self.is_beginning or added is None:
            return self
        return replace(self, number=added - info["length"])

    def after(self, id: str, num_read: int) -> "Position":
        """Gives the position `num_read` records further."""
        return Position(id, None if self.number is None else self.number + num_read)

    def at_end(self, info: dict[str, Any]) -> "Position":
        """Gives this position with the number that the server counts, if it does."""
        return replace(self, number=info.get("entries-added"))

    def lag(self, info: dict[str, Any]) -> int | None:
        """Gives how many records follow, by what the server says of the stream."""
        added = info.get("entries-added")
        if _id_of(info["last-generated-id"]) == self.id:
            return 0
        if added is not None and self.is_beginning:
            return int(info["length"])
        return None if added is None or self.number is None else max(0, added - self.number)

    def lost(self, info: dict[str, Any], is_there: bool) -> str | None:
        """Says what is wrong with the stream, if records that follow may be gone.

        Args:
            info: what XINFO STREAM gives.
            is_there: whether the record of this position is in the stream.
        """
        if self.is_beginning or is_there:
            return None
        last = _id_of(info["last-generated-id"])
        if _parts(last) < _parts(self.id):
            return f"ends with {last}: it was begun anew, or restored from an older state"
        first = info["first-entry"] and _id_of(info["first-entry"][0])
        if last == self.id or (first and _parts(first) < _parts(self.id)):
            return None
        added = info.get("entries-added")
        if added is not None and added - (self.number or 0) == info["length"]:
            return None
        return f"begins with {first or 'nothing'}: it was trimmed, or lost and begun anew"


def _parts(id: str) -> tuple[int, int]:
    time, _, number = id.partition("-")
    return int(time), int(number)


def _id_of(id: bytes | str) -> str:
    return id.decode() if isinstance(id, bytes) else id
