"""The few calls into faiss that are made for every search, without their wrappers' checks."""

import importlib
import threading
from typing import Any

import numpy as np

from recsys_embed.index.engines.protocol import Bits, Floats, Hits

faiss: Any = importlib.import_module("faiss")  # its stubs lack the arguments used here
_thread = threading.local()


def use_threads(count: int) -> None:
    """Lets the calls of this thread use `count` threads; OpenMP keeps that number by thread."""
    if getattr(_thread, "count", None) != count:
        faiss.omp_set_num_threads(count)
        _thread.count = count


def selector(bits: Bits | None) -> Any:
    """Gives what lets faiss find only the slots whose bit is set; it must outlive the search."""
    return None if bits is None else faiss.IDSelectorBitmap(bits)


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


def padded(slots: Any, scores: Floats) -> Hits:
    """Puts -inf where there is no slot."""
    if slots.size and slots.min() < 0:
        scores[slots < 0] = -np.inf
    return Hits(slots, scores)
