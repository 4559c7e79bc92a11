"""What is asked and what is answered, whatever the transport."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Policy = Literal["initial", "zeros", "error"]
Missing = Policy | NDArray[np.float32]
Codes = NDArray[np.int32]


class Query(NamedTuple):
    """Ids to look up in one table.

    Args:
        table: its name in the snapshot.
        ids: int64, shape (N,), any order, duplicates allowed.
        missing: what stands in for a row that is not there; a vector has the feature's width (D,).
        asked: the ids as the client wrote them, for naming them in an error.
        feature: whose ids they are, for row maps that tell features apart; the first if None.
    """

    table: str
    ids: NDArray[np.int64]
    missing: Missing = "initial"
    asked: Sequence[int | str] | None = None
    feature: str | None = None

    @property
    def size(self) -> int:
        """N."""
        return self.ids.size


class ItemQuery(NamedTuple):
    """Items to look up in a table with semantic IDs by what they are, known in training or not.

    Args:
        table: its name in the snapshot.
        contents: N content vectors; empty if `codes` are given.
        codes: N semantic IDs; empty if `contents` are given.
        missing, feature: as in `Query`.
    """

    table: str
    contents: Sequence[Sequence[float]] = ()
    codes: Sequence[Sequence[int]] = ()
    missing: Missing = "initial"
    feature: str | None = None

    @property
    def size(self) -> int:
        """N."""
        return len(self.contents) or len(self.codes)


class Answer(NamedTuple):
    """Vectors (N, D) float32 in the order asked; `found` (N,) says which have all their rows.

    Beside them are the ids (N,) or, where no ids were asked, the semantic IDs (N, L).
    """

    table: str
    ids: NDArray[np.int64] | None
    values: NDArray[np.float32]
    found: NDArray[np.bool_]
    codes: Codes | None = None
