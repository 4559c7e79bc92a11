"""Exact search: every vector is scored."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.protocol import Chosen, Floats, Hits, Mask, Reach, Slots
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
    reach = Reach()
    most_steps = 0
    is_exact = True
    forgets = False
    scores_are_exact = True
    num_bytes = 0
    imbalance = 1.0

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`; there are none."""
        return Parameters()

    def chosen(self, mask: Mask) -> Chosen:
        """See `Engine.chosen`."""
        return chosen_of(mask)

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """See `Engine.search`."""
        return scored(self.items.arrays.vectors[: self.size], queries, k, chosen, self.threads)

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "ExactEngine":
        """See `Engine.folded`; it costs nothing."""
        size = int(slots[-1]) + 1 if len(slots) else self.size
        return ExactEngine(self.items, size, self.threads)

    def tuned(self, parameters: Parameters, reach: Reach) -> "ExactEngine":
        """See `Engine.tuned`; there is nothing to tune."""
        return self

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Engine.arrays`; there is nothing but the items."""
        return {}


def chosen_of(mask: Mask) -> Chosen:
    """Prepares rows that `scored` may find, bool (n,)."""
    from recsys_embed.index.engines import faiss_calls  # loads faiss, which importing must not

    return faiss_calls.chosen(mask)


def scored(vectors: Floats, queries: Floats, k: int, chosen: Chosen | None, threads: int) -> Hits:
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
        None if chosen is None else chosen.selector,
    )
    return faiss_calls.padded(slots, scores)
