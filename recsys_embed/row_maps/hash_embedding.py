"""Hash embeddings: rows summed with weights of the id's own, which train as well."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.hashed import bucket, check_lookups, check_seed, salt
from recsys_embed.row_maps.protocol import Bounded, Combine, RowIds, interleaved


@dataclass(frozen=True)
class HashEmbedding(Bounded):
    """Gives an id sum_j p_j E[h_j(id)], its `hashes` importance weights p trained beside the rows.

    Weights are packed into rows behind those of E, dim // hashes ids a row, and held as p - 1, so
    that training starts from a plain sum. Svenstrup et al., arXiv 1709.03933, equation 1.

    Args:
        rows: of E.
        importance: how many sets of weights there are; ids share them by hashing.
        dim: of the table, which fills it in.
        hashes: rows summed.
        seed: of the hashes.

    Example:
        >>> hemb = HashEmbedding(rows=100, importance=1000, dim=8)
        >>> hemb.num_rows, hemb.map(np.array([7])).per_id
        (350, 3)
    """

    kind: ClassVar[str] = "hash_embedding"
    importance: int = 1
    dim: int = 0
    hashes: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)
        check_lookups(self.kind, "hashes", self.hashes)
        if self.importance < 1 or 0 < self.dim < self.hashes:
            raise ConfigError(
                "hash_embedding needs importance of at least 1 and a dim of at least hashes,"
                f" got {self.importance}, {self.dim} and {self.hashes}"
            )

    @property
    def combine(self) -> Combine:
        """Rows are summed with weights."""
        return "weighted"

    @property
    def num_rows(self) -> int:
        """The rows of E and those that hold weights."""
        return self.rows + -(-self.importance // self._sets_a_row)

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the rows of E, then the row that holds the id's weights."""
        vectors = [
            bucket(ids, salt(self.kind, h, self.seed), self.rows) for h in range(self.hashes)
        ]
        return interleaved(*vectors, self.rows + self._sets(ids) // self._sets_a_row)

    def first_column(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gives where in its row an id's weights begin, (N,)."""
        return self._sets(ids) % self._sets_a_row * self.hashes

    @property
    def _sets_a_row(self) -> int:
        if not self.dim:
            raise ConfigError(
                "a hash_embedding row map needs the dim of its table, which fills it in; got 0"
            )
        return self.dim // self.hashes

    def _sets(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return bucket(ids, salt("importance", 0, self.seed), self.importance)
