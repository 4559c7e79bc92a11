"""Processes that append until they are killed."""

import itertools
import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from recsys_embed.delta_log import open_log
from recsys_embed.errors import LogNotFoundError
from tests.delta_log.places import LINEAGE, base, content

LEASE_S = 0.05
SIZES = (10, 2_200_000, 1 << 20, 200_000)  # some in several chunks


def planted(number: int) -> bytes:
    """The data that `append_for_ever` puts into an entry."""
    return content(number, SIZES[number % len(SIZES)])


def append_for_ever(where: str, tell: Connection, lease_s: float) -> None:
    """Goes on behind the head and tells each number once it stands; or tells the error it meets."""
    log = open_log(where, timeout_s=5, lease_s=lease_s)
    try:
        last = log.head().number
    except LogNotFoundError:
        last = 0
    with log.open_writer(LINEAGE, base=base(last), wait_s=5) as writer:
        for number in itertools.count(last + 1):
            try:
                writer.append(number, number - 1, planted(number))
            except Exception as error:
                tell.send(type(error).__name__)
                return
            tell.send(number)


class Appending:
    """One such process; ends with the with block."""

    def __init__(self, where: str, lease_s: float = LEASE_S) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.told, tell = context.Pipe(duplex=False)
        self.process: ForkServerProcess = context.Process(
            target=append_for_ever, args=(where, tell, lease_s), daemon=True
        )
        self.process.start()
        tell.close()
        self.pid = self.process.pid or 0

    def hear(self, timeout_s: float = 20.0) -> int | str:
        """The next number that it tells, or the name of an error."""
        assert self.told.poll(timeout_s), "the process says nothing"
        found: int | str = self.told.recv()
        return found

    def rest(self) -> list[int]:
        """Everything that it has told until it ended."""
        found = []
        try:
            while self.told.poll(0):
                found.append(self.told.recv())
        except EOFError:
            pass
        return found

    def kill(self) -> None:
        """Kills it with signal 9, wherever it is."""
        self.process.kill()
        self.process.join()

    def __enter__(self) -> "Appending":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.told.close()
