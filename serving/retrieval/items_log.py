"""The log of items: what is said of them over HTTP, durable, in one order for all who follow."""

import logging
import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from time import monotonic
from typing import NamedTuple, Protocol
from uuid import NAMESPACE_URL, uuid5

from recsys_embed.delta_log import Base, DeltaLog, Head, Writer
from recsys_embed.deltas import decode
from recsys_embed.errors import (
    ConfigError,
    DeltaLogError,
    ForeignLogError,
    GapError,
    LogNotFoundError,
    LogUnavailableError,
    RecsysEmbedError,
    TrimmedError,
)
from serving.retrieval.spelling import Said, is_whole, read, spell

logger = logging.getLogger(__name__)
# one chain for good: two servers that begin the log at once would else begin it one over the other
LINEAGE = str(uuid5(NAMESPACE_URL, "recsys-embed:items"))
WAIT_S, LONGEST_PAUSE_S = 2.0, 2.0
LEAST = 10_000  # words that a log may hold whatever they say
HOLD_S = 0.1  # that a server writes on without letting others have the log
AT_ONCE = 256


class Done(NamedTuple):
    """What came of something said: the entry that holds it, and what `apply` gave."""

    number: int | None
    missing: int


Waiting = tuple[Said, "Future[Done]"]


class Speech(Protocol):
    """Does what is said, and knows all that was."""

    def apply(self, said: Said, number: int | None) -> int: ...
    def forget(self) -> None: ...
    def all_words(self) -> Sequence[Said]: ...


class ItemsLog:
    """Says things for good, and hears what others say, in a thread of its own.

    Whatever waits together is written together, as one entry: one fsync for many writes. Any number
    of servers may share the log; each takes it while it has something to say, in turns.

    Args:
        log: where.
        speech: does what is said, every entry in order, the own ones among them.
    """

    def __init__(self, log: DeltaLog, speech: Speech) -> None:
        self._log, self._speech = log, speech
        self._waiting = queue.SimpleQueue[Waiting]()
        self._stirred = threading.Event()
        self._lock, self._is_stopping = threading.Lock(), False
        self._number = 0
        self._since = 0  # words said since all of them stood in one entry
        self._thread = threading.Thread(target=self._run, name="items-log", daemon=True)

    @property
    def number(self) -> int:
        """The last entry that was heard."""
        return self._number

    def replay(self) -> None:
        """Hears all that was said before this process began, but follows no commands.

        Raises:
            ConfigError: if it is the log of something else.
            DeltaLogError, DeltaError: if it cannot be read.
        """
        self._hear(is_past=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def say(self, said: Said) -> Done:
        """Says something; when it returns, it is durable and done here.

        Raises:
            LogUnavailableError: if it cannot be written now; saying it again does no harm.
            RecsysEmbedError: as `apply`; it is written then, and nobody can follow it.
            Exception: whatever else `apply` came upon; it is written then, and not done here.
        """
        done = Future[Done]()
        with self._lock:
            if self._is_stopping:
                raise LogUnavailableError("this server stops; say it to another")
            self._waiting.put((said, done))
        self._stirred.set()
        return done.result()

    def stop(self) -> None:
        """Stops following, once what waits has been said."""
        with self._lock:
            self._is_stopping = True
        self._stirred.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._log.close()

    def _run(self) -> None:
        pause_s, reason = self._log.poll_s, ""
        while not (self._is_stopping and self._waiting.empty()):
            self._stirred.wait(pause_s)
            self._stirred.clear()
            taken = self._taken()
            try:
                self._hear()
                self._write(taken)
                pause_s, reason = self._log.poll_s, ""
            except Exception as error:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                if reason != (reason := f"{type(error).__name__}: {error}"):
                    logger.warning("%s: %s", self._log, reason)
                for _, done in taken:
                    if not done.done():
                        done.set_exception(_refusal(error))

    def _taken(self) -> list[Waiting]:
        taken = list[Waiting]()
        while len(taken) < AT_ONCE and not self._waiting.empty():
            taken.append(self._waiting.get())
        return taken

    def _hear(self, is_past: bool = False) -> None:
        try:
            head = self._log.head()
        except LogNotFoundError:
            if self._number:
                self._begin_anew()
            return
        refuse_other(self._log, head)
        if head.number < self._number:
            self._begin_anew()
            is_past = True
        try:
            self._read(head, is_past)
        except TrimmedError:  # by another, since the head was read
            self._read(self._log.head(), is_past)

    def _read(self, head: Head, is_past: bool) -> None:
        """Reads on to the head; from the entry that stands for what is gone, if any is."""
        is_behind = self._number < head.trimmed
        self._number = max(self._number, head.trimmed)
        if head.number == self._number:
            return
        for entry in self._log.read(self._number, lineage=LINEAGE):
            delta = decode(entry.data)
            said = read(delta)
            for one in () if is_whole(delta) and not is_behind else said:
                if not (is_past and one.command):
                    self._heard(one, entry.number)
            self._number, is_behind = entry.number, False
            self._since = 0 if is_whole(delta) else self._since + _count(said)

    def _heard(self, said: Said, number: int) -> None:
        try:
            self._speech.apply(said, number)
        except RecsysEmbedError as error:
            logger.warning("%s: entry %d cannot be followed here: %r", self._log, number, error)
        except Exception:  # read again it would fail again, and nothing after it would be heard
            logger.exception("%s: a word of entry %d failed, passed over", self._log, number)

    def _begin_anew(self) -> None:
        logger.warning(
            "%s ends before entry %d, which was read: begins anew", self._log, self._number
        )
        self._speech.forget()
        self._number = 0

    def _write(self, taken: list[Waiting]) -> None:
        """Takes the log, writes what waits and what comes meanwhile, then lets others have it."""
        while taken:
            try:
                with self._log.open_writer(LINEAGE, number=self._number, wait_s=WAIT_S) as writer:
                    until = monotonic() + HOLD_S
                    while taken:
                        self._append(writer, taken)
                        taken[:] = self._taken() if monotonic() < until else []
                    self._shorten(writer)
            except (ForeignLogError, GapError):  # another has written meanwhile
                self._hear()

    def _append(self, writer: Writer, taken: Sequence[Waiting]) -> None:
        number = self._number + 1
        data = spell([said for said, _ in taken], LINEAGE, number)
        writer.append(number, self._number, data)
        self._number, self._since = number, self._since + _count(said for said, _ in taken)
        for said, done in taken:
            try:
                done.set_result(Done(number, self._speech.apply(said, number)))
            except RecsysEmbedError as error:
                done.set_exception(error)
            except Exception as error:  # the others are in the log as well, and were not at fault
                logger.exception("%s: a word of entry %d failed, passed over", self._log, number)
                done.set_exception(error)

    def _shorten(self, writer: Writer) -> None:
        """Says all words in one entry and trims those before it, once most have been said over."""
        if self._since <= LEAST or self._since <= 2 * _count(words := self._speech.all_words()):
            return
        number = self._number + 1
        writer.append(number, self._number, spell(words, LINEAGE, number, is_whole=True))
        writer.trim(self._number, Base(self._number, f"entry {number}"))
        self._number, self._since = number, 0


def _count(said: Iterable[Said]) -> int:
    return sum(len(one.words) for one in said)


def check_log(log: DeltaLog) -> None:
    """Looks whether a log can be one of items; one that nobody has begun can.

    Raises:
        ConfigError: if it is the log of something else, or cannot be reached.
    """
    try:
        refuse_other(log, log.head())
    except LogNotFoundError:
        return
    except DeltaLogError as error:
        raise ConfigError(f"--items: {error}") from None


def refuse_other(log: DeltaLog, head: Head) -> None:
    """Refuses a log that is not one of items.

    Raises:
        ConfigError: naming its lineage.
    """
    if head.lineage != LINEAGE:
        raise ConfigError(
            f"--items: expected a log of items, found {log} of lineage {head.lineage}, which is"
            " another's; name one of its own, which the first write begins"
        )


def _refusal(error: Exception) -> Exception:
    if isinstance(error, LogUnavailableError):
        return error
    if isinstance(error, (DeltaLogError, OSError)):
        return LogUnavailableError(f"the write could not be made durable; try again: {error}")
    return error
