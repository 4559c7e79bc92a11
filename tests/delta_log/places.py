"""The two transports behind one set of hands: fresh logs, and their stored bytes to tamper with."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import redis

from recsys_embed.delta_log import Base, DeltaLog, DirectoryLog, Writer, open_log
from recsys_embed.delta_log.directory_files import entries_in, entry_path
from recsys_embed.delta_log.directory_record import load_record
from recsys_embed.delta_log.frames import HEADER_BYTES

LINEAGE = str(UUID(int=0x1B4E28BA_00000000_00000000_00000001))
OTHER = str(UUID(int=0x2B4E28BA_00000000_00000000_00000002))
Raw = tuple[int, bytes]  # the number of a place, and header and data as they are stored


def content(number: int, nbytes: int = 50) -> bytes:
    """The data that tests put into an entry: no two alike."""
    return (f"entry {number} ".encode() * (nbytes // 8 + 1))[:nbytes]


def fill(writer: Writer, last: int) -> None:
    """Appends entries up to `last`."""
    for number in range(writer.number + 1, last + 1):
        writer.append(number, number - 1, content(number))


class Place(ABC):
    """Somewhere logs are kept."""

    @abstractmethod
    def new(self) -> str:
        """Where a log may be begun, as `open_log` takes it."""

    @abstractmethod
    def raw(self, log: DeltaLog) -> list[Raw]:
        """Every entry as it is stored."""

    @abstractmethod
    def rewrite(self, log: DeltaLog, entries: Sequence[Raw]) -> None:
        """Puts other entries in place of all."""

    def log(self) -> DeltaLog:
        """A log that is not begun yet; a writer's lease in it is short."""
        return open_log(self.new(), lease_s=1.0)

    def filled(self, last: int) -> DeltaLog:
        """A log of `last` entries without a writer."""
        log = self.log()
        with log.open_writer(LINEAGE) as writer:
            fill(writer, last)
        return log


class Directories(Place):
    """Logs in directories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self) -> str:
        return str(self.folder / uuid4().hex)

    def raw(self, log: DeltaLog) -> list[Raw]:
        assert isinstance(log, DirectoryLog)
        entries = entries_in(log.path, load_record(log.path).lineage, 0)
        return [(number, path.read_bytes()) for number, path in entries.items()]

    def rewrite(self, log: DeltaLog, entries: Sequence[Raw]) -> None:
        assert isinstance(log, DirectoryLog)
        lineage = load_record(log.path).lineage
        for path in entries_in(log.path, lineage, 0).values():
            path.unlink()
        for number, data in entries:
            entry_path(log.path, number, lineage).write_bytes(data)


class Streams(Place):
    """Logs in a Redis server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url)
        self.names: list[str] = []

    def new(self) -> str:
        self.names.append(uuid4().hex)
        scheme, _, rest = self.url.partition("://")
        place, mark, query = rest.partition("?")
        return f"{scheme}://{place.rstrip('/')}/{self.names[-1]}{mark}{query}"

    def raw(self, log: DeltaLog) -> list[Raw]:
        return [(found.number, found.header + found.data) for found in log.stored(0)]

    def rewrite(self, log: DeltaLog, entries: Sequence[Raw]) -> None:
        key = f"recsys:{{{self.names[-1]}}}:entries:{log.head().lineage}"
        self.client.delete(key)
        for number, data in entries:
            self.client.xadd(key, {"data": data[HEADER_BYTES:]}, id=f"{number}-0")
            self.client.xadd(key, {"header": data[:HEADER_BYTES]}, id=f"{number}-1")

    def clean(self) -> None:
        """Removes every log that was begun."""
        for name in self.names:
            for key in self.client.scan_iter(f"recsys:{{{name}}}:*"):
                self.client.delete(key)
        self.client.close()


def read_all(log: DeltaLog, after: int = 0, lineage: str = LINEAGE) -> list[tuple[int, bytes]]:
    """Numbers and data of all entries beyond one."""
    return [(entry.number, entry.data) for entry in log.read(after, lineage=lineage)]


def expected(first: int, last: int) -> list[tuple[int, bytes]]:
    """What `read_all` gives of entries that `fill` made."""
    return [(number, content(number)) for number in range(first, last + 1)]


def base(number: int) -> Base:
    """A snapshot that covers an entry."""
    return Base(number, f"snapshot-{number:012d}" if number else "")


def streams(url: str) -> Iterator[Streams]:
    """Logs in a server, removed at the end."""
    place = Streams(url)
    yield place
    place.clean()
