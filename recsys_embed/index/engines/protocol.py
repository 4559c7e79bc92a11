"""What an index asks of an engine."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters

Bits = NDArray[np.uint8]
Floats = NDArray[np.float32]
Slots = NDArray[np.int64]


class Hits(NamedTuple):
    """The best slots of Q queries, best first.

    Attributes:
        slots: int64 (Q, K); -1 where there are no more.
        scores: float32 (Q, K), inner products; -inf where there are no more.
    """

    slots: Slots
    scores: Floats


class Engine(Protocol):
    """Finds the slots of vectors with a large inner product; it never changes.

    Any number of threads may search one engine at once.
    """

    @property
    def kind(self) -> str:
        """exact, ivf or hnsw."""

    @property
    def parameters(self) -> Parameters:
        """What a search uses where it is told nothing else."""

    @property
    def most_steps(self) -> int:
        """The largest number of lists or candidates that makes a difference; 0 if exact."""

    @property
    def is_exact(self) -> bool:
        """Whether a search scores every vector."""

    @property
    def scores_are_exact(self) -> bool:
        """Whether the scores are those of the vectors in float32."""

    @property
    def num_bytes(self) -> int:
        """Memory that the engine takes beside the vectors of the index."""

    @property
    def imbalance(self) -> float:
        """How many times longer than with even lists a search takes; 1 without lists."""

    def with_steps(self, steps: int) -> Parameters:
        """Gives the parameters that look into so many lists, or keep so many candidates."""

    def search(self, queries: Floats, k: int, bits: Bits | None, parameters: Parameters) -> Hits:
        """Finds at most k slots a query, in the mean those of the largest inner products.

        Args:
            queries: float32 (Q, D), contiguous and finite.
            k: at least 1.
            bits: one a slot, the lowest of a byte first; only slots whose bit is set are found.
            parameters: in place of the engine's own, where not None.
        """

    def folded(self, slots: Slots, vectors: Floats, keep: Bits | None) -> "Engine":
        """Gives a copy that finds these further slots too.

        Args:
            slots: int64 (n,), increasing, above all that the engine has.
            vectors: float32 (n, D).
            keep: one bit a slot; the copy may forget slots whose bit is not set. None: all stay.
        """

    def tuned(self, parameters: Parameters) -> "Engine":
        """Gives the same engine with other parameters of its own."""
