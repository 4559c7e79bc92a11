"""A row for each id."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys_embed.row_maps.protocol import Combine, RowIds, single


@dataclass(frozen=True)
class Collisionless:
    """Gives every id a row of its own.

    Example:
        >>> Collisionless().map(np.array([7, -1])).rows
        array([[ 7, -1]])
    """

    kind: ClassVar[str] = "collisionless"
    combine: ClassVar[Combine] = "sum"
    num_rows: ClassVar[None] = None

    def chunks(self, feature: str) -> int:
        """Gives 1."""
        return 1

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the ids as they are, without a copy."""
        return single(ids)
