"""What an index asks of an engine."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters

Bits = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Slots = NDArray[np.int64]


class Hits(NamedTuple):
    """The best slots of Q queries, best first.

    Attributes:
        slots: int64 (Q, K); -1 where there are no more.
        scores: float32 (Q, K), inner products; -inf where there are no more.
    """

    slots: Slots
    scores: Floats


@dataclass(frozen=True, eq=False)
class Chosen:
    """Slots that a search may find, prepared by an engine for itself; many searches may share it.

    Attributes:
        bits: one a slot, the lowest of a byte first.
        count: number of bits that are set.
        selector: the engine's own spelling of the bits.
    """

    bits: Bits
    count: int
    selector: Any


@dataclass(frozen=True)
class Reach:
    """How far a search among chosen slots goes, as tuned.

    Attributes:
        spread: times wider than measured that lists are taken to be, so that recall is reached.
        missing: share of the best that it may be expected to leave out.
    """

    spread: float = 1.0
    missing: float = 0.01


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
    def forgets(self) -> bool:
        """Whether `folded` leaves out slots that are not kept."""

    @property
    def scores_are_exact(self) -> bool:
        """Whether the scores are those of the vectors in float32."""

    @property
    def num_bytes(self) -> int:
        """Memory that the engine takes beside the vectors of the index."""

    @property
    def imbalance(self) -> float:
        """How many times longer than with even lists a search takes; 1 without lists."""

    @property
    def reach(self) -> Reach:
        """How far a search among chosen slots goes where it is told nothing else."""

    def with_steps(self, steps: int) -> Parameters:
        """Gives the parameters that look into so many lists, or keep so many candidates."""

    def chosen(self, mask: Mask) -> Chosen:
        """Prepares the slots that searches may find, bool (slots of the engine,)."""

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """Finds at most k slots a query, in the mean those of the largest inner products.

        Args:
            queries: float32 (Q, D), contiguous and finite.
            k: at least 1.
            chosen: only these are found; None: any.
            parameters: in place of the engine's own, where not None.
        """

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "Engine":
        """Gives a copy that finds these further slots too.

        Args:
            slots: int64 (n,), increasing, above all that the engine has.
            vectors: float32 (n, D).
            keep: bool by slot, as many as the engine has; the copy may forget the others. None:
                all stay.
        """

    def tuned(self, parameters: Parameters, reach: "Reach") -> "Engine":
        """Gives the same engine with other parameters, and another reach, of its own."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Spells the engine, parameters and reach left out."""
