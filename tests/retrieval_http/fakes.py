"""A retriever made of dicts: slow, obvious, and the oracle for what HTTP makes of its answers."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from serving.retrieval.asked import (
    Ask,
    Candidates,
    Contribution,
    IndexInfo,
    ItemWrite,
    Vectors,
    VersionInfo,
    Written,
)
from serving.retrieval.errors import UnknownIndexError

STATS = {"items": 3, "dead": 2, "fresh": 1, "folds": 4, "rebuilds": 5}
ACTIVE = VersionInfo("items@7.1", "one", "active", 3, 1700000000.5)
INFO = IndexInfo(
    name="items", version="items@7.1", tower_version="one", versions=(ACTIVE,), metric="cosine",
    dim=2, attributes={"price": "float"}, user_tower=True, item_tower=True, users=True,
    relations=("similar",), relevance=True, bridged_from=None, unfit=6, durable=False, recall=0.75,
    recall_queries=8, stats=STATS, refused=None,
)  # fmt: skip
FOUND = Candidates(
    ids=np.array([2**63 - 1, -5], np.int64),
    scores=np.array([0.1, -2.5], np.float32),
    names=["MUG", None],
    probabilities=np.array([0.7, 0.2], np.float32),
    vectors=None,
    attributes=None,
    explanations=None,
    index="items",
    index_version="items@7.1",
    tower_version="one",
    query_version="two",
    bridged=True,
    snapshot_version="a snapshot:8",
    exact=True,
    searched=3,
    filtered=1,
    below=4,
    plan="gather",
    tower_s=0.002,
    search_s=0.03,
)


class FakeRetriever:
    """Remembers what it is called with; raises `error` if there is one."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.calls: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.found = FOUND
        self.refused: str | None = None

    def _called(self, *what: Any) -> None:
        self.calls.append(what)
        if self.error is not None:
            raise self.error

    def recommend(self, ask: Ask) -> Candidates:
        self._called("recommend", ask)
        return self._answer(ask)

    def search(self, ask: Ask) -> Candidates:
        self._called("search", ask)
        return self._answer(ask)

    def search_many(self, asks: Sequence[Ask]) -> list[Candidates]:
        self._called("search_many", asks)
        return [self._answer(ask) for ask in asks]

    def _answer(self, ask: Ask) -> Candidates:
        """The same two items whatever is asked; beside them what is wanted."""
        if ask.index not in (None, "items"):
            raise UnknownIndexError(f"no index {ask.index!r}; there are items")
        found = self.found
        if "vector" in ask.wanted:
            found = replace(found, vectors=np.array([[1, 2], [0.1, -1e-40]], np.float32))
        if "attributes" in ask.wanted:
            found = replace(found, attributes=[{"price": 2.5, "tags": ("a", "b")}, {}])
        if "explain" in ask.wanted:
            parts = [[Contribution("input", "price", 0.5)], []]
            found = replace(found, explanations=parts)
        return replace(found, query_version=_version(ask))

    def upsert(
        self, index: str, items: Sequence[ItemWrite], tower_version: str | None = None
    ) -> Written:
        self._called("upsert", index, items, tower_version)
        ids = tuple(99 if item.id is None else item.id for item in items)
        return Written(ids, 0, "items@7.1", True, 12)

    def delete(self, index: str, ids: Sequence[int]) -> Written:
        self._called("delete", index, ids)
        return Written(tuple(ids), 1, "items@7.1", False, None)

    def indexes(self) -> list[str]:
        return ["items"]

    def stats(self, index: str) -> IndexInfo:
        self._called("stats", index)
        if index != "items":
            raise UnknownIndexError(f"no index {index!r}; there are items")
        return replace(INFO, refused=self.refused)

    def rebuild(self, index: str) -> VersionInfo:
        self._called("rebuild", index)
        return VersionInfo("items@7.2", "one", "building", 0, 1700000001.0)

    def activate(self, index: str, version: str | None) -> IndexInfo:
        self._called("activate", index, version)
        return INFO

    def rollback(self, index: str) -> IndexInfo:
        self._called("rollback", index)
        return INFO

    def close(self) -> None:
        self.pool.shutdown()


def _version(ask: Ask) -> str:
    by = ask.by
    return by.tower_version or "one" if isinstance(by, Vectors) else "one"
