"""The frame around an entry's bytes: who wrote it, where it belongs, and checksums of it all.

An entry is stored as this header of 80 bytes followed by its data, in every transport.
"""

import struct
from dataclasses import dataclass, replace
from uuid import UUID

from recsys_embed import native
from recsys_embed.errors import DamagedEntryError

MAGIC = b"RSEMLOG1"
_HEADER = struct.Struct("<8s16sQQQdQQQ")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True)
class Frame:
    """What the header of an entry says.

    Attributes:
        lineage: uuid of the chain that the entry belongs to.
        number: of the entry.
        prev: of the entry that it follows; the entry covers the numbers in (prev, number].
        token: fencing number of its writer.
        created_s: Unix time of the writer's clock, never before that of the entry it follows.
        nbytes: bytes of the data behind the header.
        data_hash: XXH64 of the data.
    """

    lineage: str
    number: int
    prev: int
    token: int
    created_s: float
    nbytes: int = 0
    data_hash: int = 0

    def around(self, data: bytes) -> "Frame":
        """Gives the frame with the size and the checksum of some data."""
        return replace(self, nbytes=len(data), data_hash=_xxh64(data))


def dump_frame(frame: Frame) -> bytes:
    """Spells a frame as the 80 bytes before an entry's data.

    Example:
        >>> frame = Frame("00000000-0000-0000-0000-00000000002a", 7, 6, 1, 0.0).around(b"abc")
        >>> load_frame(dump_frame(frame), "entry 7") == frame
        True
    """
    fields = (frame.number, frame.prev, frame.token, frame.created_s, frame.nbytes, frame.data_hash)
    unsigned = _HEADER.pack(MAGIC, UUID(frame.lineage).bytes, *fields, 0)
    return unsigned[:-8] + struct.pack("<Q", _xxh64(unsigned))


def load_frame(header: bytes, where: str) -> Frame:
    """Reads a header; `where` names the entry in errors.

    Raises:
        DamagedEntryError: if it is truncated, flipped, or of another format.
    """
    if len(header) < HEADER_BYTES:
        raise DamagedEntryError(
            f"{where} is truncated: expected a header of {HEADER_BYTES} bytes, found {len(header)}"
        )
    magic, lineage, *fields, stated = _HEADER.unpack(header[:HEADER_BYTES])
    if magic != MAGIC:
        raise DamagedEntryError(
            f"{where}: expected the mark {MAGIC!r} of an entry in front, found {magic!r}; where"
            " another number ends it, read the log with a newer recsys-embed"
        )
    found = _xxh64(header[: HEADER_BYTES - 8] + bytes(8))
    if found != stated:
        raise DamagedEntryError(
            f"{where}: expected the header's checksum {stated:016x}, found {found:016x}"
        )
    return Frame(str(UUID(bytes=lineage)), *fields)


def check_data(frame: Frame, data: bytes, where: str) -> None:
    """Holds an entry's data to its frame.

    Raises:
        DamagedEntryError: if they are truncated, too long or flipped.
    """
    if len(data) != frame.nbytes:
        raise DamagedEntryError(
            f"{where} is not whole: expected {frame.nbytes:,} bytes of data, found {len(data):,}"
        )
    found = _xxh64(data)
    if found != frame.data_hash:
        raise DamagedEntryError(
            f"{where}: expected the checksum {frame.data_hash:016x} of its data, found {found:016x}"
        )


def _xxh64(data: bytes) -> int:
    hasher = native.Xxh64()
    hasher.update(data)
    return hasher.digest()
