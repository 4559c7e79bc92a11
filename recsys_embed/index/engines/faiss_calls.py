"""The few calls into faiss that are made for every search, without their wrappers' checks."""

import importlib
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Codec
from recsys_embed.index.engines.protocol import Chosen, Floats, Hits, Mask, Slots

faiss: Any = importlib.import_module("faiss")  # its stubs lack the arguments used here
CODES: dict[Codec, Any] = {
    "fp16": faiss.ScalarQuantizer.QT_fp16,
    "int8": faiss.ScalarQuantizer.QT_8bit,
}
_thread = threading.local()


def use_threads(count: int) -> None:
    """Lets the calls of this thread use `count` threads; OpenMP keeps that number by thread."""
    if getattr(_thread, "count", None) != count:
        faiss.omp_set_num_threads(count)
        _thread.count = count


def chosen(mask: Mask) -> Chosen:
    """Prepares slots for searches by faiss, which reads the bits as long as it searches."""
    bits = np.packbits(mask, bitorder="little")
    return Chosen(bits, int(np.count_nonzero(mask)), faiss.IDSelectorBitmap(bits))


def search(index: Any, queries: Floats, k: int, parameters: Any) -> Hits:
    """Searches an index; -inf, not faiss' lowest float, stands where it found no more."""
    scores = np.empty((len(queries), k), np.float32)
    slots = np.empty((len(queries), k), np.int64)
    index.search_c(
        len(queries),
        faiss.swig_ptr(queries),
        k,
        faiss.swig_ptr(scores),
        faiss.swig_ptr(slots),
        parameters,
    )
    return padded(slots, scores)


def search_lists(
    index: Any, queries: Floats, k: int, lists: Slots, near: Floats, selector: Any
) -> Hits:
    """Searches an inverted file in given lists.

    Args:
        index: the inverted file.
        queries: float32 (Q, D).
        k: at least 1.
        lists: int64 (Q, P), for each query; -1 for none.
        near: float32 (Q, P), inner products with the lists' centroids.
        selector: of slots.
    """
    scores = np.empty((len(queries), k), np.float32)
    slots = np.empty((len(queries), k), np.int64)
    lists, near = np.ascontiguousarray(lists), np.ascontiguousarray(near)
    index.search_preassigned_c(
        len(queries),
        faiss.swig_ptr(queries),
        k,
        faiss.swig_ptr(lists),
        faiss.swig_ptr(near),
        faiss.swig_ptr(scores),
        faiss.swig_ptr(slots),
        False,
        faiss.SearchParametersIVF(nprobe=lists.shape[1], sel=selector),
    )
    return padded(slots, scores)


def spelled(index: Any) -> NDArray[np.uint8]:
    """Spells an index as bytes, (n,)."""
    return np.asarray(faiss.serialize_index(index))


def read(data: NDArray[np.uint8]) -> Any:
    """Reads what `spelled` gave; faiss does not notice a flipped bit, so the caller must have."""
    return faiss.deserialize_index(np.array(data))


def padded(slots: Any, scores: Floats) -> Hits:
    """Puts -inf where there is no slot."""
    if slots.size and slots.min() < 0:
        scores[slots < 0] = -np.inf
    return Hits(slots, scores)
