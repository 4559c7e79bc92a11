"""Vectors of rows to vectors of ids, and gradients back again."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed.row_maps.hash_embedding import HashEmbedding
from recsys_embed.row_maps.protocol import RowIds, RowMap

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Mapped:
    """The rows of one feature's ids, and how they are put together: V (C * M, D) to (N, C * D).

    Sums go row by row in the order of the map, as the native core's do, to the same bits.
    """

    row_map: RowMap
    ids: NDArray[np.int64]
    found: RowIds

    @classmethod
    def of(cls, row_map: RowMap, ids: NDArray[np.int64], feature: str) -> "Mapped":
        """Maps the ids of a feature."""
        return cls(row_map, ids, row_map.map(ids, feature))

    @property
    def flat(self) -> NDArray[np.int64]:
        """All rows, chunk by chunk, (C * M,)."""
        return self.found.rows.reshape(-1)

    @property
    def chunks(self) -> int:
        """C."""
        return len(self.found.rows)

    @property
    def is_single(self) -> bool:
        """Says whether each id has one row and no more."""
        return self.chunks == 1 and self.is_one_a_chunk

    @property
    def is_one_a_chunk(self) -> bool:
        """Says whether each id has one row in each chunk."""
        return isinstance(self.found.per_id, int) and self.found.per_id == 1

    @property
    def is_summed(self) -> bool:
        """Says whether the native core can pool the rows as they are."""
        return self.is_one_a_chunk or self.row_map.combine == "sum"

    def blocks(self, size: int) -> Iterator[tuple[slice, "Mapped"]]:
        """Cuts ids of one chunk, each of as many rows, into stretches of up to `size` ids."""
        k = self.found.per_id
        assert isinstance(k, int) and self.chunks == 1, "rows that are not summed"
        for a in range(0, len(self.ids), size):
            ids = self.ids[a : a + size]
            rows = self.found.rows[:, a * k : (a + size) * k]
            yield slice(a, a + len(ids)), Mapped(self.row_map, ids, RowIds(rows, k))

    def row_offsets(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Turns offsets into the ids into offsets into the rows of a chunk."""
        if isinstance(self.found.per_id, int):
            return offsets * self.found.per_id
        return np.concatenate([[0], np.cumsum(self.found.per_id)])[offsets]

    def repeated(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives each row of a chunk its id's value."""
        return np.repeat(values, self.found.per_id, axis=0)

    def combine(self, vectors: Floats) -> Floats:
        """Gives the ids' vectors, (N, C * D)."""
        if self.is_single:
            return vectors
        chunks = vectors.reshape(self.chunks, -1, vectors.shape[1])
        return np.concatenate([self._combined(chunk) for chunk in chunks], axis=1)

    def spread(self, vectors: Floats, grads: Floats) -> Floats:
        """Gives the gradients of the rows, (C * M, D), from those of the ids, (N, C * D)."""
        if self.is_single:
            return grads
        chunks = vectors.reshape(self.chunks, -1, vectors.shape[1])
        parts = np.split(grads, self.chunks, axis=1)
        return np.concatenate([self._spread(v, g) for v, g in zip(chunks, parts, strict=True)])

    def found_ids(self, has_row: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Says of each id whether all its rows are there, (N,), from (C * M,)."""
        in_chunks = has_row.reshape(self.chunks, -1).all(axis=0)
        lost = np.bincount(self._owners()[~in_chunks], minlength=len(self.ids))
        return np.asarray(lost == 0)

    def _combined(self, vectors: Floats) -> Floats:
        if self.row_map.combine == "sum":
            return _summed(vectors, self.found.per_id, len(self.ids))
        rows = self._by_id(vectors)
        if self.row_map.combine == "product":
            return rows[:, 0] * rows[:, 1]
        weights = self._weights(rows)
        total: Floats = rows[:, 0] * weights[:, :1]
        for k in range(1, weights.shape[1]):
            total += rows[:, k] * weights[:, k : k + 1]
        return total

    def _spread(self, vectors: Floats, grads: Floats) -> Floats:
        if self.row_map.combine == "sum":
            return self.repeated(grads)
        rows = self._by_id(vectors)
        if self.row_map.combine == "product":
            first, second = rows[:, 0], rows[:, 1]
            return np.stack([grads * second, grads * first], axis=1).reshape(vectors.shape)
        return self._spread_weighted(rows, grads).reshape(vectors.shape)

    def _spread_weighted(self, rows: Floats, grads: Floats) -> Floats:
        spread = np.zeros_like(rows)
        spread[:, :-1] = self._weights(rows)[:, :, None] * grads[:, None, :]
        of_weights = np.einsum("nkd,nd->nk", rows[:, :-1], grads)
        np.put_along_axis(spread[:, -1], self._columns(), of_weights, axis=1)
        return spread

    def _by_id(self, vectors: Floats) -> Floats:
        """Gives the rows of a chunk as (N, rows an id, D), which every id has as many of."""
        assert isinstance(self.found.per_id, int), "rows that are not summed are as many for each"
        return vectors.reshape(len(self.ids), self.found.per_id, vectors.shape[1])

    def _weights(self, rows: Floats) -> Floats:
        """Gives each id's importance weights, held as their distance from 1 in its last row."""
        held: Floats = rows[np.arange(len(rows))[:, None], -1, self._columns()]
        return 1 + held

    def _columns(self) -> NDArray[np.int64]:
        assert isinstance(self.row_map, HashEmbedding), "the one map whose rows are weighted"
        return self.row_map.first_column(self.ids)[:, None] + np.arange(self.row_map.hashes)

    def _owners(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.ids)), self.found.per_id)


def _summed(vectors: Floats, per_id: int | NDArray[np.int64], n: int) -> Floats:
    if isinstance(per_id, int):
        rows = vectors.reshape(n, per_id, vectors.shape[1])
        total = rows[:, 0].copy()
        for k in range(1, per_id):
            total += rows[:, k]
        return total
    total = np.zeros((n, vectors.shape[1]), np.float32)
    begins = np.cumsum(per_id) - per_id
    for k in range(int(per_id.max(initial=0))):
        having = np.flatnonzero(per_id > k)
        total[having] += vectors[begins[having] + k]
    return total
