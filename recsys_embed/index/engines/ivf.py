"""An inverted file: vectors in lists by their nearest centroid; a search looks into a few lists.

Jegou, Douze, Schmid: Product quantization for nearest neighbor search (2011), section 4, with
faiss doing the work: https://arxiv.org/abs/2401.08281.
"""

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Codec, IndexConfig, Parameters
from recsys_embed.index.engines import faiss_calls
from recsys_embed.index.engines.faiss_calls import faiss
from recsys_embed.index.engines.protocol import Chosen, Floats, Hits, Mask, Reach, Slots
from recsys_embed.index.ranking import nothing

POINTS_A_LIST = 64  # more points move the centroids little, and training is what takes long
CODES: dict[Codec, Any] = {
    "fp16": faiss.ScalarQuantizer.QT_fp16,
    "int8": faiss.ScalarQuantizer.QT_8bit,
}


class IvfEngine:
    """An inverted file over slots.

    Folding copies it, so that searches go on in the old one; slots that are to be forgotten are
    found by one pass over the lists. (A hash table from slot to place would find them without, but
    copying the lists takes twenty times as long as the pass, and the table takes memory.)

    Args:
        index: a trained faiss inverted file; never changed from here on.
        parameters: whose `nprobe` is the number of lists that a search looks into.
        reach: how many chosen slots a search among chosen ones passes.
        target_k: results for which both were tuned.
        threads: that one search may use.
    """

    kind = "ivf"
    is_exact = False
    forgets = True

    def __init__(
        self, index: Any, parameters: Parameters, reach: Reach, target_k: int, threads: int
    ) -> None:
        self._index = index
        self._target_k = target_k
        self._threads = threads
        self.parameters = parameters
        self.reach = reach
        self._asked: dict[int, Any] = {}
        self.scores_are_exact = isinstance(index, faiss.IndexIVFFlat)

    @classmethod
    def build(cls, slots: Slots, vectors: Floats, config: IndexConfig) -> "IvfEngine":
        """Trains the centroids on a sample and puts every vector into its list.

        Args:
            slots: int64 (n,).
            vectors: float32 (n, D).
            config: of the index.
        """
        faiss_calls.use_threads(config.threads)
        index = _empty(vectors.shape[1], lists_for(len(vectors), config.nlist), config.codec)
        index.cp.seed = config.seed + 1
        index.cp.max_points_per_centroid = POINTS_A_LIST
        index.cp.min_points_per_centroid = 1  # fewer make poorer lists, which tuning will see
        index.train(_sample(vectors, index.nlist * POINTS_A_LIST, config.seed))
        index.add_with_ids(vectors, slots)
        return cls(index, Parameters(nprobe=1), Reach(), config.target_k, config.threads)

    @property
    def nlist(self) -> int:
        """Number of lists."""
        return int(self._index.nlist)

    @property
    def num_bytes(self) -> int:
        """See `Engine.num_bytes`."""
        index = self._index
        return int(index.ntotal * (index.code_size + 8) + index.nlist * index.d * 4)

    @property
    def imbalance(self) -> float:
        """See `Engine.imbalance`."""
        return float(self._index.invlists.imbalance_factor())

    @property
    def most_steps(self) -> int:
        """See `Engine.most_steps`."""
        return self.nlist

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`."""
        return Parameters(nprobe=steps)

    def steps_among(self, chosen: Chosen) -> int:
        """See `Engine.steps_among`."""
        if chosen.lists is None or not chosen.count:
            return 1
        held = np.count_nonzero(chosen.lists)
        return math.ceil(held * min(1.0, self.reach.at(chosen.density) / chosen.count))

    def chosen(self, mask: Mask) -> Chosen:
        """See `Engine.chosen`."""
        plain = faiss_calls.chosen(mask)
        of = self._list_of
        held = of[np.flatnonzero(mask[: len(of)])]  # dead slots at the end may be in no list
        lists = np.bincount(held, minlength=self.nlist + 1)[:-1]
        within = int(self._sizes[lists > 0].sum())
        return replace(plain, lists=lists, density=plain.count / within if within else 1.0)

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """See `Engine.search`; what it looks into grows with k beyond the k it was tuned for."""
        faiss_calls.use_threads(self._threads)
        nprobe = parameters.nprobe
        if chosen is None:
            asked = self._asking(nprobe or self._grown(self.parameters.nprobe or 1, k))
            return faiss_calls.search(self._index, queries, k, asked)
        if nprobe is None:
            return self._search_lists(queries, k, chosen)
        asked = faiss.SearchParametersIVF(nprobe=min(nprobe, self.nlist), sel=chosen.selector)
        return faiss_calls.search(self._index, queries, k, asked)

    def _search_lists(self, queries: Floats, k: int, chosen: Chosen) -> Hits:
        """Looks into the nearest lists that hold chosen slots until enough of them are passed."""
        counts = np.zeros(self.nlist, np.int64) if chosen.lists is None else chosen.lists
        held = np.flatnonzero(counts)
        if not len(held):
            return nothing(len(queries), k)
        near = queries @ self._centroids[held].T
        order = np.argsort(-near, axis=1)
        passed = np.cumsum(counts[held][order], axis=1)
        enough = passed >= self._grown(self.reach.at(chosen.density), k)
        most = min(len(held), 1 + int((~enough).sum(axis=1).max()))
        lists = held[order[:, :most]]
        lists[:, 1:][enough[:, : most - 1]] = -1
        near = np.take_along_axis(near, order[:, :most], axis=1)
        return faiss_calls.search_lists(self._index, queries, k, lists, near, chosen.selector)

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "IvfEngine":
        """See `Engine.folded`."""
        faiss_calls.use_threads(self._threads)
        index = faiss.clone_index(self._index)
        if keep is not None:
            kept = faiss_calls.chosen(keep)
            index.remove_ids(faiss.IDSelectorNot(kept.selector))
        if len(slots):
            index.add_with_ids(vectors, slots)
        return IvfEngine(index, self.parameters, self.reach, self._target_k, self._threads)

    def tuned(self, parameters: Parameters, reach: Reach) -> "IvfEngine":
        """See `Engine.tuned`."""
        return IvfEngine(self._index, parameters, reach, self._target_k, self._threads)

    @cached_property
    def _centroids(self) -> Floats:
        return np.asarray(self._index.quantizer.reconstruct_n(0, self.nlist))

    @cached_property
    def _sizes(self) -> Slots:
        lists = self._index.invlists
        return np.array([lists.list_size(i) for i in range(self.nlist)])

    @cached_property
    def _list_of(self) -> NDArray[np.int32]:
        """Gives the list of every slot; `nlist` for a slot that is in none."""
        sizes, lists = self._sizes, self._index.invlists
        slots = [faiss_calls.ids_of(lists, i, n) for i, n in enumerate(sizes.tolist())]
        held = np.concatenate(slots)
        found = np.full(1 + held.max(initial=-1), self.nlist, np.int32)
        found[held] = np.repeat(np.arange(self.nlist, dtype=np.int32), sizes)
        return found

    def _grown(self, effort: float, k: int) -> int:
        return math.ceil(effort * max(1.0, k / self._target_k))

    def _asking(self, nprobe: int) -> Any:
        asked = self._asked.get(nprobe)
        if asked is None:  # making one takes as long as a third of a search
            asked = faiss.SearchParametersIVF(nprobe=min(nprobe, self.nlist))
            self._asked[nprobe] = asked
        return asked


def lists_for(count: int, asked: int | None) -> int:
    """Gives the number of lists: the power of two at about 2 sqrt(n), where a search is fastest."""
    if asked is not None:
        return min(asked, max(1, count))
    return 1 << max(0, round(math.log2(2 * math.sqrt(max(1, count)))))


def _empty(dim: int, nlist: int, codec: Codec) -> Any:
    metric = faiss.METRIC_INNER_PRODUCT
    quantizer = faiss.IndexFlatIP(dim)
    if codec == "fp32":
        index = faiss.IndexIVFFlat(quantizer, dim, nlist, metric)
    else:
        index = faiss.IndexIVFScalarQuantizer(quantizer, dim, nlist, CODES[codec], metric)
    quantizer.this.disown()
    index.own_fields = True
    return index


def _sample(vectors: Floats, count: int, seed: int) -> Floats:
    if len(vectors) <= count:
        return vectors
    chosen = np.random.default_rng(seed).choice(len(vectors), count, replace=False)
    return vectors.take(np.sort(chosen), axis=0)
