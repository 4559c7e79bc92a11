"""Where writes wait for the log of items: in threads of their own, and only so many."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from serving.retrieval.errors import BusyError

P = ParamSpec("P")
T = TypeVar("T")
THREADS = 32  # as many writes may become one entry of the log
MOST = 128  # each holds a body of up to max_body_bytes meanwhile


class Writers:
    """Does writes, so that a log that is slow or held keeps nothing but writes waiting.

    Concurrency: any event loop may await `run`; `write` is called in one of the threads.

    Args:
        threads: writes that are done at once.
        most: writes that are done or wait for a thread.
    """

    def __init__(self, threads: int = THREADS, most: int = MOST) -> None:
        self._pool = ThreadPoolExecutor(threads, "write")
        self._most, self._room = most, threading.Semaphore(most)

    async def run(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does a write in a thread.

        Raises:
            BusyError: if too many wait already; nothing was written then.
        """
        if not self._room.acquire(blocking=False):
            raise BusyError(
                f"{self._most} writes wait for the items to be written already; nothing of this"
                " one was, try again"
            )
        try:
            done = self._pool.submit(write, *args, **kwargs)
        except BaseException:
            self._room.release()
            raise
        done.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Takes no more; what has begun goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)
