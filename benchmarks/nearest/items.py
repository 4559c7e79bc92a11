"""Which items of a set are alive, and how a round of churn replaces them."""

import time

import numpy as np

from benchmarks.nearest.sides import K
from benchmarks.nearest.truth import best
from benchmarks.nearest.vectors import Float, Int, VectorSet
from recsys_embed.index import Index


class Items:
    """What an index over some items of a set must hold.

    One thread churns; another may ask meanwhile what is gone.
    """

    def __init__(self, of: VectorSet, first: Int) -> None:
        self.name, self.ids, self.vectors = of.name, of.ids, of.vectors.copy()
        self.alive = np.zeros(len(of.ids), bool)
        self.alive[first] = True
        self._gone_since = np.where(self.alive, np.inf, -np.inf)
        self._order = np.argsort(of.ids)

    def true(self, queries: Float) -> Int:
        """Gives the ids (Q, K) of the best that are alive."""
        rows = np.flatnonzero(self.alive)
        return self.ids[rows[best(self.vectors[rows], queries, K)]]

    def gone_before(self, moment: float, ids: Int) -> int:
        """Counts the ids whose deletion had returned by then, and that have not come back."""
        places = self._order[np.searchsorted(self.ids, ids, sorter=self._order)]
        return int(np.count_nonzero(self._gone_since[places] < moment))

    def churn(
        self, index: Index, arriving: Int, share: float, batch: int, rng: np.random.Generator
    ) -> int:
        """Deletes a share of what is alive; upserts what arrives, and as many others come back.

        Who comes back has another vector than before, which one of the others had. Gives the
        number of items written.
        """
        alive = np.flatnonzero(self.alive)
        leaving = rng.choice(alive, int(share * len(alive)), replace=False)
        back = leaving[: max(0, len(leaving) - len(arriving))]
        coming = rng.permutation(np.concatenate([arriving, back]))
        for part in _parts(leaving, batch):
            index.delete(self.ids[part])
            self._gone_since[part] = time.perf_counter()
        self.alive[leaving] = False
        self.vectors[back] = self.vectors[rng.permutation(back)]
        for part in _parts(coming, batch):
            self._gone_since[part] = np.inf
            index.upsert(self.ids[part], self.vectors[part])
        self.alive[coming] = True
        return len(leaving) + len(coming)


def _parts(places: Int, size: int) -> list[Int]:
    return [places[start : start + size] for start in range(0, len(places), size)]
