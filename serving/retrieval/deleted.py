"""Which items of an index were deleted over HTTP, for indexes that do not hear of it."""

import numpy as np

from serving.retrieval.asked import Ids
from serving.retrieval.words import Words


class Deleted:
    """Items whose last word is a deletion.

    Concurrency: one thread at a time heeds and forgets; any thread reads `ids` meanwhile.
    """

    def __init__(self) -> None:
        self._ids = set[int]()
        self._told = list[Ids]()

    @property
    def ids(self) -> Ids:
        """The items, int64, ascending; all that was heeded before is in them."""
        told = self._told  # what is heeded from here on puts another list in its place
        if not told:
            ids = self._ids.copy()  # in one step, as the interpreter copies a set of integers
            told.append(np.sort(np.fromiter(ids, np.int64, len(ids))))
        return told[0]

    def heed(self, words: Words) -> None:
        """Takes in what is said of items."""
        gone = {id for id, word in words.items() if word.vector is None}
        self._ids |= gone
        self._ids -= words.keys() - gone
        self._told = []

    def forget(self) -> None:
        """Forgets all."""
        self._ids, self._told = set(), []
