"""One version of an index: built of a generation, then kept in step with it."""

from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

import numpy as np

from recsys_embed.index.attributes import by_attribute
from serving.retrieval.asked import Ids, VersionInfo, VersionState
from serving.retrieval.generation import Content, Generation
from serving.retrieval.recall import Recall
from serving.retrieval.words import Words

if TYPE_CHECKING:
    from recsys_embed.index import Index

AT_ONCE = 16_384


class Version:
    """An index under a name that no other has; empty-handed until `build` has run.

    Concurrency: one thread builds, one at a time writes; any thread searches `live`.

    Attributes:
        index, name: of the index, and of this version.
        generation: that it is built of.
        recall: of its searches, as far as it was sampled.
        is_wanted: whether it shall serve as soon as it is built.
    """

    def __init__(
        self, index: str, name: str, generation: Generation, is_wanted: bool = False
    ) -> None:
        self.index, self.name, self.generation = index, name, generation
        self.is_wanted, self.created_s = is_wanted, time()
        self.recall = Recall()
        self._live: Index | None = None
        self._missed = list[Ids]()

    @property
    def is_built(self) -> bool:
        """Whether it can be searched."""
        return self._live is not None

    @property
    def live(self) -> "Index":
        """The index itself."""
        assert self._live is not None, "a version that is not built yet"
        return self._live

    @property
    def tower_version(self) -> str:
        """Of its vectors."""
        return self.generation.bundle.tower_version

    def make(self, words: Words) -> "Index":
        """Builds the index of what is there now; it takes long, and takes nothing over yet."""
        from recsys_embed.index import Index  # here: it brings faiss

        parts = self.generation.bundle.parts[self.index]
        found = list(self._all_content(words))
        return Index.build(
            np.concatenate([np.zeros(0, np.int64), *(one.ids for one in found)]),
            np.concatenate([np.zeros((0, parts.dim), np.float32), *(one.vectors for one in found)]),
            config=parts.config,
            schema=parts.schema,
            attributes=by_attribute([row for one in found for row in one.attributes]),
            queries=parts.queries,
        )

    def _all_content(self, words: Words) -> Iterator[Content]:
        ids = self.generation.all_ids(self.index, words)
        for at in range(0, len(ids), AT_ONCE):
            yield self.generation.content(self.index, ids[at : at + AT_ONCE], words)

    def take(self, live: "Index", words: Words) -> None:
        """Takes over what was built, and what was written meanwhile."""
        self._live, missed, self._missed = live, self._missed, []
        for ids in missed:
            self.write(ids, words)

    def write(self, ids: Ids, words: Words) -> None:
        """Brings items to what the generation and the words say of them now."""
        if self._live is None:
            self._missed.append(ids)
            return
        content = self.generation.content(self.index, ids, words)
        if len(content.ids):
            self._live.upsert(content.ids, content.vectors, by_attribute(content.attributes))
        if len(content.gone):
            self._live.delete(content.gone)

    def close(self) -> None:
        """Ends what the index does in the background; searches under way end well."""
        if self._live is not None:
            self._live.close()

    def info(self, state: VersionState) -> VersionInfo:
        """Describes it."""
        items = self._live.stats().items if self._live is not None else 0
        return VersionInfo(self.name, self.tower_version, state, items, self.created_s)


def name_of(index: str, generation: Generation, number: int) -> str:
    """Names the version that is built of a generation as its `number`-th."""
    uuid, _, snapshot = generation.snapshot.version_id.partition(":")
    return f"{index}@{uuid[:8]}:{snapshot}.{number}"
