"""Exact search: every vector is scored."""

from dataclasses import dataclass

import numpy as np

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.protocol import Bits, Floats, Hits, Slots
from recsys_embed.index.items import Items


@dataclass(frozen=True)
class ExactEngine:
    """Scores all of the first `size` vectors of the items; takes no memory of its own.

    Attributes:
        items: whose vectors it reads.
        size: slots that it finds.
        threads: that one search may use.
    """

    items: Items
    size: int
    threads: int = 1

    kind = "exact"
    parameters = Parameters()
    most_steps = 0
    is_exact = True
    scores_are_exact = True
    num_bytes = 0
    imbalance = 1.0

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`; there are none."""
        return Parameters()

    def search(self, queries: Floats, k: int, bits: Bits | None, parameters: Parameters) -> Hits:
        """See `Engine.search`."""
        return scored(self.items.arrays.vectors[: self.size], queries, k, bits, self.threads)

    def folded(self, slots: Slots, vectors: Floats, keep: Bits | None) -> "ExactEngine":
        """See `Engine.folded`; it costs nothing."""
        size = int(slots[-1]) + 1 if len(slots) else self.size
        return ExactEngine(self.items, size, self.threads)

    def tuned(self, parameters: Parameters) -> "ExactEngine":
        """See `Engine.tuned`; there is nothing to tune."""
        return self


def scored(vectors: Floats, queries: Floats, k: int, bits: Bits | None, threads: int) -> Hits:
    """Finds the k largest inner products of each query among vectors (n, D), by row."""
    from recsys_embed.index.engines import faiss_calls

    faiss_calls.use_threads(threads)
    scores = np.empty((len(queries), k), np.float32)
    slots = np.empty((len(queries), k), np.int64)
    if not len(vectors) or not len(queries):
        return Hits(np.full_like(slots, -1), np.full_like(scores, -np.inf))
    faiss = faiss_calls.faiss
    faiss.knn_inner_product(
        faiss.swig_ptr(queries),
        faiss.swig_ptr(vectors),
        vectors.shape[1],
        len(queries),
        len(vectors),
        k,
        faiss.swig_ptr(scores),
        faiss.swig_ptr(slots),
        faiss_calls.selector(bits),
    )
    return faiss_calls.padded(slots, scores)
