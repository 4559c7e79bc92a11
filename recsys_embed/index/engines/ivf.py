"""An inverted file: vectors in lists by their nearest centroid; a search looks into a few lists.

Jegou, Douze, Schmid: Product quantization for nearest neighbor search (2011), section 4, with
faiss doing the work: https://arxiv.org/abs/2401.08281.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Codec, IndexConfig, Parameters
from recsys_embed.index.engines import faiss_calls
from recsys_embed.index.engines.faiss_calls import CODES, faiss
from recsys_embed.index.engines.lists import Lists, share_above
from recsys_embed.index.engines.protocol import Chosen, Floats, Hits, Mask, Reach, Slots
from recsys_embed.index.ranking import joined, nothing

POINTS_A_LIST = 64  # more points move the centroids little, and training is what takes long


@dataclass(frozen=True, eq=False)
class InLists(Chosen):
    """Chosen slots, and how many of them each list holds, counted when it is first asked."""

    mask: Mask
    lists: Lists

    @cached_property
    def counts(self) -> Slots:
        """Chosen slots in each list, (lists,)."""
        return self.lists.held(self.mask)


class IvfEngine:
    """An inverted file over slots.

    Folding copies it, so that searches go on in the old one; slots that are to be forgotten are
    found by one pass over the lists. (A hash table from slot to place would find them without, but
    copying the lists takes twenty times as long as the pass, and the table takes memory.)

    Args:
        index: a trained faiss inverted file; never changed from here on.
        lists: which slots its lists hold.
        parameters: whose `nprobe` is the number of lists that a search looks into.
        reach: how far a search among chosen slots goes.
        target_k: results for which both were tuned.
        threads: that one search may use.
    """

    kind = "ivf"
    is_exact = False
    forgets = True

    def __init__(
        self,
        index: Any,
        lists: Lists,
        parameters: Parameters,
        reach: Reach,
        target_k: int,
        threads: int,
    ) -> None:
        self._index = index
        self._lists = lists
        self._target_k = target_k
        self._threads = threads
        self.parameters = parameters
        self.reach = reach
        self.scores_are_exact = isinstance(index, faiss.IndexIVFFlat)
        self._asked: dict[int, Any] = {}

    @classmethod
    def build(cls, slots: Slots, vectors: Floats, config: IndexConfig) -> "IvfEngine":
        """Trains the centroids on a sample and puts every vector into its list.

        Args:
            slots: int64 (n,), rising.
            vectors: float32 (n, D).
            config: of the index.
        """
        faiss_calls.use_threads(config.threads)
        nlist = lists_for(len(vectors), config.nlist)
        index = _untrained(vectors.shape[1], nlist, config.codec)
        index.cp.seed = config.seed + 1
        index.cp.max_points_per_centroid = POINTS_A_LIST
        index.cp.min_points_per_centroid = 1  # fewer make poorer lists, which tuning will see
        index.train(_sample(vectors, nlist * POINTS_A_LIST, config.seed))
        lists = _added(index, Lists.empty(nlist, vectors.shape[1]), slots, vectors)
        return cls(index, lists, Parameters(nprobe=1), Reach(), config.target_k, config.threads)

    @property
    def nlist(self) -> int:
        """Number of lists."""
        return int(self._index.nlist)

    @property
    def most_steps(self) -> int:
        """See `Engine.most_steps`."""
        return self.nlist

    @property
    def num_bytes(self) -> int:
        """See `Engine.num_bytes`."""
        index = self._index
        return int(index.ntotal * (index.code_size + 8) + index.nlist * index.d * 4)

    @property
    def imbalance(self) -> float:
        """See `Engine.imbalance`."""
        return float(self._index.invlists.imbalance_factor())

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`."""
        return Parameters(nprobe=steps)

    def chosen(self, mask: Mask) -> Chosen:
        """See `Engine.chosen`."""
        plain = faiss_calls.chosen(mask)
        return InLists(plain.bits, plain.count, plain.selector, mask, self._lists)

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """See `Engine.search`; without a choice, more lists are looked into for a larger k."""
        faiss_calls.use_threads(self._threads)
        nprobe = parameters.nprobe
        if chosen is None:
            asked = self._asking(nprobe or self._nprobe_for(k))
            return faiss_calls.search(self._index, queries, k, asked)
        if nprobe is None:
            return self._search_promising(queries, k, chosen)
        asked = faiss.SearchParametersIVF(nprobe=min(nprobe, self.nlist), sel=chosen.selector)
        return faiss_calls.search(self._index, queries, k, asked)

    def _search_promising(self, queries: Floats, k: int, chosen: Chosen) -> Hits:
        """Looks into lists until those left out are expected to hold few of the best.

        The nearest lists with at least 2 k of the chosen slots give a k-th best score; by their
        means and spreads, the other lists are expected to hold so many slots that score more.
        """
        held = np.flatnonzero(_counts(chosen))
        if not len(held):
            return nothing(len(queries), k)
        counts = _counts(chosen)[held].astype(np.float32)
        near = queries @ self._means[held].T  # (Q, H)
        first = _enough(near, counts, np.full(len(queries), 2.0 * k))
        hits = self._search_lists(queries, k, first, held, chosen)
        lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries))[:, None]
        spreads = np.maximum(self._spreads[held] * lengths * self.reach.spread, 1e-12)
        above = counts * share_above((hits.scores[:, -1:] - near) / spreads)
        above[first] = 0
        rest = _enough(above, above, above.sum(axis=1) - self.reach.missing * k)
        rest &= above > 0
        if not rest.any():
            return hits
        return joined(hits, self._search_lists(queries, k, rest, held, chosen), k)

    def _search_lists(
        self, queries: Floats, k: int, wanted: Mask, held: Slots, chosen: Chosen
    ) -> Hits:
        most = max(1, int(wanted.sum(axis=1).max()))
        order = np.argsort(~wanted, axis=1, kind="stable")[:, :most]
        lists = np.where(np.take_along_axis(wanted, order, axis=1), held[order], -1)
        near = np.take_along_axis(queries @ self._centroids.T, np.maximum(lists, 0), axis=1)
        return faiss_calls.search_lists(self._index, queries, k, lists, near, chosen.selector)

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "IvfEngine":
        """See `Engine.folded`."""
        faiss_calls.use_threads(self._threads)
        index = faiss.clone_index(self._index)
        if keep is not None:
            kept = faiss_calls.chosen(keep)
            index.remove_ids(faiss.IDSelectorNot(kept.selector))
        lists = _added(index, self._lists.keeping(keep), slots, vectors)
        return IvfEngine(index, lists, self.parameters, self.reach, self._target_k, self._threads)

    def tuned(self, parameters: Parameters, reach: Reach) -> "IvfEngine":
        """See `Engine.tuned`."""
        return IvfEngine(self._index, self._lists, parameters, reach, self._target_k, self._threads)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Engine.arrays`."""
        return {"faiss": faiss_calls.spelled(self._index), **self._lists._asdict()}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        parameters: Parameters,
        reach: Reach,
        config: IndexConfig,
    ) -> "IvfEngine":
        """Reads what `arrays` gave."""
        index = faiss_calls.read(arrays["faiss"])
        lists = Lists(*(np.array(arrays[name]) for name in Lists._fields))
        return cls(index, lists, parameters, reach, config.target_k, config.threads)

    @cached_property
    def _centroids(self) -> Floats:
        return np.asarray(self._index.quantizer.reconstruct_n(0, self.nlist))

    @cached_property
    def _means(self) -> Floats:
        return self._lists.means()

    @cached_property
    def _spreads(self) -> Floats:
        return self._lists.spreads()

    def _nprobe_for(self, k: int) -> int:
        nprobe = self.parameters.nprobe or 1
        return nprobe if k <= self._target_k else math.ceil(nprobe * k / self._target_k)

    def _asking(self, nprobe: int) -> Any:
        nprobe = min(nprobe, self.nlist)
        asked = self._asked.get(nprobe)
        if asked is None:  # making one takes as long as a third of a search
            asked = self._asked[nprobe] = faiss.SearchParametersIVF(nprobe=nprobe)
        return asked


def lists_for(count: int, asked: int | None) -> int:
    """Gives the number of lists: the power of two at about 2 sqrt(n), where a search is fastest."""
    wanted = asked or 1 << round(math.log2(2 * math.sqrt(max(1, count))))
    return min(wanted, max(1, count))


def _counts(chosen: Chosen) -> Slots:
    if not isinstance(chosen, InLists):
        raise TypeError(f"expected slots chosen by an inverted file, got {type(chosen).__name__}")
    return chosen.counts


def _enough(near: Floats, counts: Floats, wanted: Any) -> Mask:
    """Marks in each row the nearest until their counts reach what is wanted; the first always."""
    order = np.argsort(-near, axis=1)
    passed = np.cumsum(np.broadcast_to(counts, near.shape)[np.arange(len(near))[:, None], order], 1)
    needed = np.ones(near.shape, bool)
    needed[:, 1:] = passed[:, :-1] < wanted[:, None]
    marked = np.zeros(near.shape, bool)
    np.put_along_axis(marked, order, needed, axis=1)
    return marked


def _added(index: Any, lists: Lists, slots: Slots, vectors: Floats) -> Lists:
    if not len(slots):
        return lists
    own = np.ascontiguousarray(index.quantizer.search(vectors, 1)[1][:, 0])
    slots, vectors = np.ascontiguousarray(slots), np.ascontiguousarray(vectors)
    pointers = (faiss.swig_ptr(array) for array in (vectors, slots, own))
    index.add_core(len(slots), *pointers)
    return lists.plus(slots, vectors, own)


def _untrained(dim: int, nlist: int, codec: Codec) -> Any:
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
