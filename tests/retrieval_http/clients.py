"""Client threads that ask a real server at once, and say what went wrong."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx


class Clients:
    """Threads that each do one thing again and again until told to stop.

    Args:
        count: how many.
        do: what each does with a client of its own, given its number; gives how often it asked.

    Attributes:
        asked: requests that were answered as they should be.
    """

    def __init__(self, count: int, do: Callable[[int, httpx.Client], int], url: str) -> None:
        self.asked, self.wrong = 0, list[BaseException]()
        self._do, self._url, self._stopping = do, url, threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets each end what it is doing, and raises the first thing that was wrong."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self.wrong:
            raise self.wrong[0]

    def _run(self, number: int) -> None:
        try:
            with httpx.Client(base_url=self._url, timeout=60) as http:
                while not self._stopping.is_set():
                    asked = self._do(number, http)
                    with self._lock:
                        self.asked += asked
        except BaseException as error:
            self.wrong.append(error)


@contextmanager
def asking(count: int, do: Callable[[int, httpx.Client], int], url: str) -> Iterator[Clients]:
    """Clients that ask meanwhile."""
    clients = Clients(count, do, url)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()


def answered(reply: httpx.Response) -> Any:
    """What was answered, which must be an answer and no refusal."""
    assert reply.status_code in (200, 202), reply.text
    return reply.json()
