"""A word that cannot be done stops neither those said with it nor those said after it."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from recsys_embed.delta_log import DirectoryLog
from serving.retrieval.items_log import ItemsLog
from serving.retrieval.spelling import Said
from serving.retrieval.words import DELETED
from tests.following.publishing import until

BAD = 2


class Deaf:
    """Does all that is said of items but one, on which it breaks."""

    def __init__(self) -> None:
        self.tried = Counter[int]()

    def apply(self, said: Said, number: int | None) -> int:
        self.tried.update(said.words.keys())
        if BAD in said.words:
            raise RuntimeError("nobody thought of this")
        return 0

    def forget(self) -> None:
        self.tried.clear()

    def all_words(self) -> Sequence[Said]:
        return []


def said(id: int) -> Said:
    return Said("items", {id: DELETED})


@contextmanager
def log_of(path: Path, speech: Deaf) -> Iterator[ItemsLog]:
    log = ItemsLog(DirectoryLog(path), speech)
    try:
        yield log
    finally:
        log.stop()


def test_a_word_that_breaks_is_passed_over_by_all_who_hear_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    speaking, hearing, late = Deaf(), Deaf(), Deaf()
    with log_of(tmp_path, speaking) as log, log_of(tmp_path, hearing) as other:
        with ThreadPoolExecutor(4) as clients:
            waiting = []
            for at in (1, BAD, 3, 4):  # wait together, in this order, so that they are one entry
                waiting.append(clients.submit(log.say, said(at)))
                until(lambda: log._waiting.qsize() == len(waiting))
            log.start()
            with pytest.raises(RuntimeError, match="nobody thought"):
                waiting[1].result()
            assert [waiting[at].result() for at in (0, 2, 3)] == [(1, 0)] * 3
        other.start()
        until(lambda: other.number == 1)
        assert log.say(said(5)) == (2, 0)
        until(lambda: other.number == 2)
    with log_of(tmp_path, late) as again:
        again.replay()
    assert speaking.tried == hearing.tried == late.tried == dict.fromkeys((1, BAD, 3, 4, 5), 1)
    broken = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert [one.exc_info is not None for one in broken] == [True] * 3, "each says it once"
