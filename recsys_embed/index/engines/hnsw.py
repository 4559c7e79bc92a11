"""A graph of near neighbours, walked from afar to the nearest.

Malkov, Yashunin: Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs, https://arxiv.org/abs/1603.09320; faiss does the work.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Codec, IndexConfig, Parameters
from recsys_embed.index.engines import faiss_calls
from recsys_embed.index.engines.faiss_calls import CODES, faiss
from recsys_embed.index.engines.protocol import Chosen, Floats, Hits, Mask, Reach, Slots

NEIGHBOURS = 32  # of each vector in the graph, M in the paper
MOST_CANDIDATES = 4096


class HnswEngine:
    """A graph over slots; a slot that has died stays a place to walk through until the next build.

    Args:
        index: a faiss graph; never changed from here on.
        slots: int64 (n,), of its vectors in the order in which they were added.
        parameters: whose `ef` is the number of candidates that a walk keeps.
        reach: how many times more a walk among chosen slots keeps than its share suggests.
        threads: that one search may use.
    """

    kind = "hnsw"
    is_exact = False
    forgets = False
    imbalance = 1.0

    def __init__(
        self, index: Any, slots: Slots, parameters: Parameters, reach: Reach, threads: int
    ) -> None:
        self._index = index
        self._slots = slots
        self._threads = threads
        self.parameters = parameters
        self.reach = reach
        self.scores_are_exact = isinstance(index, faiss.IndexHNSWFlat)

    @classmethod
    def build(cls, slots: Slots, vectors: Floats, config: IndexConfig) -> "HnswEngine":
        """Adds vectors one by one.

        Args:
            slots: int64 (n,), rising.
            vectors: float32 (n, D).
            config: of the index.
        """
        faiss_calls.use_threads(config.threads)
        index = _empty(vectors.shape[1], config.codec)
        index.train(vectors)
        index.add(vectors)
        return cls(index, slots.copy(), Parameters(ef=1), Reach(), config.threads)

    @property
    def most_steps(self) -> int:
        """See `Engine.most_steps`."""
        return max(1, min(MOST_CANDIDATES, len(self._slots)))

    @property
    def num_bytes(self) -> int:
        """See `Engine.num_bytes`."""
        links = (2 * NEIGHBOURS + 2) * 4
        return int(len(self._slots) * (self._index.storage.sa_code_size() + links + 8))

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`."""
        return Parameters(ef=steps)

    def chosen(self, mask: Mask) -> Chosen:
        """See `Engine.chosen`."""
        return faiss_calls.chosen(mask[self._slots])

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """See `Engine.search`; a walk keeps at least k candidates."""
        faiss_calls.use_threads(self._threads)
        ef = parameters.ef or max(k, self.parameters.ef or 1)
        selector = None
        if chosen is not None:
            selector = chosen.selector
            if parameters.ef is None:
                share = max(chosen.count, 1) / max(1, len(self._slots))
                ef = min(math.ceil(ef * self.reach.spread / share), MOST_CANDIDATES)
        most = max(k, min(ef, len(self._slots)))  # faiss takes memory for as many as it is told
        asked = faiss.SearchParametersHNSW(efSearch=most, sel=selector)
        labels, scores = faiss_calls.search(self._index, queries, k, asked)
        if not len(self._slots):
            return Hits(labels, scores)
        return Hits(np.where(labels >= 0, self._slots[labels], -1), scores)

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "HnswEngine":
        """See `Engine.folded`."""
        faiss_calls.use_threads(self._threads)
        index = faiss.clone_index(self._index)
        if len(slots):
            index.add(np.ascontiguousarray(vectors))
        both = np.concatenate([self._slots, slots])
        return HnswEngine(index, both, self.parameters, self.reach, self._threads)

    def tuned(self, parameters: Parameters, reach: Reach) -> "HnswEngine":
        """See `Engine.tuned`."""
        return HnswEngine(self._index, self._slots, parameters, reach, self._threads)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Engine.arrays`."""
        return {"faiss": faiss_calls.spelled(self._index), "slots": self._slots}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        parameters: Parameters,
        reach: Reach,
        config: IndexConfig,
    ) -> "HnswEngine":
        """Reads what `arrays` gave."""
        index = faiss_calls.read(arrays["faiss"])
        return cls(index, np.array(arrays["slots"]), parameters, reach, config.threads)


def _empty(dim: int, codec: Codec) -> Any:
    metric = faiss.METRIC_INNER_PRODUCT
    if codec == "fp32":
        return faiss.IndexHNSWFlat(dim, NEIGHBOURS, metric)
    return faiss.IndexHNSWSQ(dim, CODES[codec], NEIGHBOURS, metric)
