"""What an index answers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Codec, Metric, Parameters


class Found(NamedTuple):
    """What a search found for Q queries, at most K items each, best first.

    Attributes:
        ids: int64 (Q, K); of row q, only the first counts[q] mean anything, the others are 0.
        scores: float32 (Q, K), inner products or cosines; -inf behind the first counts[q].
        counts: int64 (Q,), min(K, items that the query may find).
        exact: whether every item was scored.
        searched: items that the index held.
        filtered: of those, how many `where` and `exclude` kept out; of several queries, the most.
        plan: how it was searched, for people: exact, gather, ivf or hnsw.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    counts: NDArray[np.int64]
    exact: bool
    searched: int
    filtered: int
    plan: str


@dataclass(frozen=True)
class Stats:
    """An index at one moment.

    Attributes:
        items: that a search may find.
        dead: places taken by deleted and replaced items until the next rebuild.
        fresh: items not folded into the engine yet.
        kind: of the engine: exact, ivf or hnsw.
        codec: of the engine's copy.
        parameters: that searches use unless told otherwise.
        tuned_recall: recall measured for them; 1 for an exact engine.
        tuned_on: queries, or items where no queries were known.
        imbalance: of an inverted file, how many times longer than in even lists a search takes.
        folds: times that fresh items were folded in.
        rebuilds: times that the engine was built anew.
        num_bytes: memory of vectors and engine.
        write_number: writes so far.
    """

    items: int
    dead: int
    fresh: int
    kind: str
    codec: Codec
    parameters: Parameters
    tuned_recall: float
    tuned_on: str
    imbalance: float
    folds: int
    rebuilds: int
    num_bytes: int
    write_number: int


@dataclass(frozen=True)
class Capabilities:
    """What an index can do.

    Attributes:
        dim: of its vectors.
        metric: by which it compares them.
        max_k: most results that a query may ask for.
        parameters: names that `Parameters` may set besides `exact`.
        deletes_at_once: whether a deletion leaves no trace in the engine once folded.
    """

    dim: int
    metric: Metric
    max_k: int
    parameters: tuple[str, ...]
    deletes_at_once: bool
