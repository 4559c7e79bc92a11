"""An inverted file: vectors in lists by their nearest centroid; a search looks into a few lists.

Jegou, Douze, Schmid: Product quantization for nearest neighbor search (2011), section 4, with
faiss doing the work: https://arxiv.org/abs/2401.08281.
"""

import copy
import math
from typing import Any

import numpy as np

from recsys_embed.index.config import Codec, IndexConfig, Parameters
from recsys_embed.index.engines import faiss_calls
from recsys_embed.index.engines.faiss_calls import faiss
from recsys_embed.index.engines.protocol import Bits, Floats, Hits, Slots

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
        nprobe: lists that a search looks into.
        target_k: results for which `nprobe` was chosen.
        threads: that one search may use.
    """

    kind = "ivf"
    is_exact = False

    def __init__(self, index: Any, nprobe: int, target_k: int, threads: int) -> None:
        self._index = index
        self._target_k = target_k
        self._threads = threads
        self.parameters = Parameters(nprobe=nprobe)
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
        return cls(index, 1, config.target_k, config.threads)

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

    def search(self, queries: Floats, k: int, bits: Bits | None, parameters: Parameters) -> Hits:
        """See `Engine.search`; `nprobe` grows with k beyond the k it was chosen for."""
        nprobe = parameters.nprobe or self._nprobe_for(k)
        faiss_calls.use_threads(self._threads)
        if bits is None:
            return faiss_calls.search(self._index, queries, k, self._asking(nprobe))
        chosen = faiss_calls.selector(bits)
        asked = faiss.SearchParametersIVF(nprobe=min(nprobe, self.nlist), sel=chosen)
        return faiss_calls.search(self._index, queries, k, asked)

    def folded(self, slots: Slots, vectors: Floats, keep: Bits | None) -> "IvfEngine":
        """See `Engine.folded`."""
        faiss_calls.use_threads(self._threads)
        index = faiss.clone_index(self._index)
        if keep is not None:
            kept = faiss_calls.selector(keep)
            index.remove_ids(faiss.IDSelectorNot(kept))
        if len(slots):
            index.add_with_ids(vectors, slots)
        return self._with(index, self.parameters)

    def tuned(self, parameters: Parameters) -> "IvfEngine":
        """See `Engine.tuned`."""
        return self._with(self._index, parameters)

    def _with(self, index: Any, parameters: Parameters) -> "IvfEngine":
        made = copy.copy(self)
        made._index, made.parameters, made._asked = index, parameters, {}
        return made

    def _nprobe_for(self, k: int) -> int:
        nprobe = self.parameters.nprobe or 1
        return nprobe if k <= self._target_k else math.ceil(nprobe * k / self._target_k)

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
