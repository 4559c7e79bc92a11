"""Unified Embedding: one pool of rows for many features, each with lookups of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import ConfigError
from recsys_embed.hashing import mix
from recsys_embed.row_maps.hashed import bucket, check_lookups, check_seed, salt
from recsys_embed.row_maps.protocol import MAX_ROWS, Combine, RowIds


@dataclass(frozen=True)
class Multiplexed:
    """Gives an id of a feature `lookups` rows of a shared pool side by side: feature multiplexing.

    Every (feature, chunk) hashes with a salt of its own, so a value means something else in each;
    chunks are dealt to the pool's `tables` in turn, over all features. Ids of two features that
    meet differ in direction after the first layer, ids of one feature that meet in all chunks are
    one. Coleman et al., Unified Embedding, arXiv 2305.12102, §3.

    Args:
        rows: of each of the pool's tables; None: a row for every (feature, chunk, id), so that
            features share a table and never a row (but for 64-bit hashes that meet).
        tables: parts of the pool.
        lookups: chunks of a feature; its vector is so many rows wide.
        lookups_of: chunks of single features, by name.
        features: whose chunks are dealt, in order; a table fills in its own.
        seed: of the salts.

    Example:
        >>> pool = Multiplexed(rows=100, tables=2, lookups=2, features=("user", "item"))
        >>> pool.map(np.array([7, 8, 9]), "item").rows.shape, pool.num_rows
        ((2, 3), 200)
    """

    kind: ClassVar[str] = "multiplexed"
    combine: ClassVar[Combine] = "sum"
    rows: int | None = None
    tables: int = 1
    lookups: int = 1
    lookups_of: Mapping[str, int] = field(default_factory=dict, hash=False)
    features: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.kind, self.seed)
        check_lookups(self.kind, "lookups", self.lookups)
        for name, number in self.lookups_of.items():
            check_lookups(self.kind, f"lookups_of.{name}", number)
        if self.tables < 1 or (self.rows is not None and self.rows < 1):
            raise ConfigError(
                f"multiplexed needs tables and rows of at least 1,"
                f" got {self.tables} and {self.rows}"
            )
        if self.rows is not None and self.rows * self.tables > MAX_ROWS:
            raise ConfigError(
                f"multiplexed needs rows * tables <= 2^32, got {self.rows} * {self.tables}"
            )
        for name in self.lookups_of if self.features else ():
            if name not in self.features:
                raise ConfigError(
                    f"multiplexed.lookups_of has no feature {name!r}; {near(name, self.features)}"
                )

    @property
    def num_rows(self) -> int | None:
        """All rows of the pool; None if every id has its own."""
        return None if self.rows is None else self.rows * self.tables

    def of_features(self, names: Sequence[str]) -> Self:
        """Gives the map for a table of these features; one that has features keeps them in front.

        Raises:
            ConfigError: if the map's features are not the first of these.
        """
        if tuple(names[: len(self.features)]) != self.features:
            raise ConfigError(
                f"a pool for features {list(self.features)} cannot serve {list(names)}:"
                " new features come after those there are"
            )
        return replace(self, features=tuple(names))

    def chunks(self, feature: str) -> int:
        """Gives the feature's lookups."""
        return self.lookups_of.get(feature, self.lookups)

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives for chunk c: rows * (table of c) + mix(id, salt of (feature, c)) mod rows."""
        first = self._first_chunk(feature)
        chunks = [self._chunk(ids, feature, c, first + c) for c in range(self.chunks(feature))]
        return RowIds(np.stack(chunks), 1)

    def _chunk(
        self, ids: NDArray[np.int64], feature: str, chunk: int, turn: int
    ) -> NDArray[np.int64]:
        own = salt(feature, chunk, self.seed)
        if self.rows is None:
            return mix(ids, own)
        return bucket(ids, own, self.rows) + turn % self.tables * self.rows

    def _first_chunk(self, feature: str) -> int:
        before = self.features[: self.features.index(feature)] if feature in self.features else ()
        return sum(self.chunks(name) for name in before)


@dataclass(frozen=True)
class MultiChunk:
    """Gives an id a row in each of `lookups` tables, side by side; `rows` are theirs in all.

    What multiplexing does inside one feature, without sharing: compositional embeddings by
    concatenation. Shi et al., arXiv 1909.02107, §2.

    Example:
        >>> MultiChunk(rows=100, lookups=4).map(np.array([7, 8])).rows.shape
        (4, 2)
    """

    kind: ClassVar[str] = "multi_chunk"
    combine: ClassVar[Combine] = "sum"
    rows: int
    lookups: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.kind, self.seed)
        check_lookups(self.kind, "lookups", self.lookups)
        if not self.lookups <= self.rows <= MAX_ROWS:
            raise ConfigError(
                f"multi_chunk.rows must be in [{self.lookups}, 2^32], a row a lookup at least;"
                f" got {self.rows}"
            )

    @property
    def num_rows(self) -> int:
        """The rows of all chunks."""
        return self.rows

    def chunks(self, feature: str) -> int:
        """Gives `lookups`."""
        return self.lookups

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        """Gives for chunk c a row in [c * rows // lookups, (c + 1) * rows // lookups)."""
        bounds = [c * self.rows // self.lookups for c in range(self.lookups + 1)]
        chunks = [
            bucket(ids, salt(self.kind, c, self.seed), bounds[c + 1] - bounds[c]) + bounds[c]
            for c in range(self.lookups)
        ]
        return RowIds(np.stack(chunks), 1)
