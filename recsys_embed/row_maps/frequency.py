"""Frequency hashing: the most frequent ids keep rows of their own, the tail shares the rest."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.clustered import sorted_arrays
from recsys_embed.row_maps.hashed import bucket, check_seed, salt
from recsys_embed.row_maps.learned import Learned, check_sorted, digest_of, known_or
from recsys_embed.row_maps.protocol import RowIds, interleaved, single


@dataclass(frozen=True)
class Frequency(Learned):
    """Gives the most frequent ids a row each, and hashes the others into the rows behind.

    Example:
        >>> head = Frequency.of([30, 10, 20], rows=3, share=0.5)  # 30 is the most frequent
        >>> head.map(np.array([30])).rows, int(head.map(np.array([10])).rows[0, 0]) > 0
        (array([[0]]), True)
    """

    kind: ClassVar[str] = "frequency"
    columns: ClassVar[dict[str, str]] = {"ids": "<i8", "places": "<u4"}
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.kind, self.seed)

    @classmethod
    def of(cls, ids: ArrayLike, rows: int, *, share: float = 0.5, seed: int = 0) -> Self:
        """Builds the map from ids in descending frequency; the first share of `rows` go to them.

        Raises:
            ConfigError: for a share outside (0, 1), or rows that leave the tail none.
        """
        if not 0 < share < 1 or rows < 2:
            raise ConfigError(
                f"{cls.kind} needs share in (0, 1) and rows >= 2, got {share}, {rows}"
            )
        head = np.asarray(ids, np.int64)[: max(1, min(rows - 1, int(rows * share)))]
        arrays = sorted_arrays(head, np.arange(len(head)), "places")
        return cls(rows, digest_of(arrays), seed=seed).with_arrays(arrays)

    def check(self) -> None:
        """Refuses as many ids of their own as there are rows.

        Raises:
            ConfigError: naming both numbers.
        """
        check_sorted(self.kind, self.array("ids"), self.array("places"), "places")
        highest = int(self.array("places").max(initial=0))
        if max(len(self.array("ids")), highest + 1) >= self.rows:
            raise ConfigError(
                f"{self.kind} row map of {self.rows} rows has {len(self.array('ids'))} ids with"
                f" rows of their own up to row {highest}; the map does not fit its table"
            )

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives the id's own row, or a hashed one."""
        return single(self._rows(ids, self.places(ids), self.seed))

    def _rows(self, ids: NDArray[np.int64], at: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        own = self.array("places")
        return known_or(
            at,
            own,
            lambda unknown: len(own) + bucket(ids[unknown], seed, self.rows - len(own)),
        )


@dataclass(frozen=True)
class DoubleFrequency(Frequency):
    """Sums two hashed rows for the tail; a frequent id counts its own row twice.

    Zhang et al., Model Size Reduction Using Frequency Based Double Hashing (RecSys 2020).
    """

    kind: ClassVar[str] = "double_frequency"

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives two rows an id."""
        seeds = [salt(self.kind, h, self.seed) for h in range(2)]
        at = self.places(ids)
        return interleaved(*(self._rows(ids, at, seed) for seed in seeds))
