"""Names of replicas: one for each worker, the same after a restart."""

import fcntl
import os
import re
import socket
from itertools import count
from pathlib import Path

UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


def replica_name(port: int) -> str:
    """Names the server that listens on a port of this machine.

    Example:
        >>> replica_name(8000).endswith("-8000")
        True
    """
    host = UNFIT.sub("-", socket.gethostname()).strip("-")[:50] or "replica"
    return f"{host}-{port}"


class Place:
    """The place of a worker among those of its server; whoever replaces it takes the place over.

    Attributes:
        number: from 1, unlike that of any other worker that lives.
    """

    def __init__(self, folder: Path) -> None:
        for number in count(1):
            fd = os.open(folder / f"place-{number}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            self.number, self._fd = number, fd
            return

    def leave(self) -> None:
        """Leaves the place to another, as the end of the process does."""
        os.close(self._fd)
