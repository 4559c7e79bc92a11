"""All vectors of a fixed set of ids behind any row map, as one dense parameter."""

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_embed import CollisionlessTable, FeatureRule, TableConfig, make_table
from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import HashEmbedding, Multiplexed, RowMap


class MappedEmbedding(nn.Module):
    """Gives ids the vectors that a table behind the same row map would: chunks of combined rows.

    Where each id's rows are is computed once, so that models can read all ids in every step.

    Args:
        row_map: how ids become rows; one without bound gets a row for each that the ids have.
        ids: int64 (N,), all that will be read; distinct or not.
        dim: of an id's vector, all chunks together.
        feature: whose ids they are.
        generator: of the initial values, which are xavier-uniform.
        shared: an embedding with the same map whose rows this one reads too, as pools want it.

    Raises:
        ConfigError: if dim is no multiple of the chunks, or `shared` has other rows.

    Example:
        >>> from recsys_embed import Hashed
        >>> embedding = MappedEmbedding(Hashed(rows=10), np.arange(1000), 4)
        >>> embedding().shape, embedding(torch.tensor([5, 5])).shape, embedding.rows.shape
        (torch.Size([1000, 4]), torch.Size([2, 4]), torch.Size([10, 4]))
    """

    def __init__(
        self,
        row_map: RowMap,
        ids: NDArray[np.int64],
        dim: int,
        feature: str = "",
        generator: torch.Generator | None = None,
        shared: "MappedEmbedding | None" = None,
    ) -> None:
        super().__init__()
        self.row_map, self.ids, self.feature = row_map, ids, feature
        self.keys, places = _places(row_map, ids, feature)
        chunks, self._ragged = places.shape[0], bool((places < 0).any())
        if dim < chunks or dim % chunks:
            raise ConfigError(f"dim must be a multiple of the {chunks} chunks, got {dim}")
        if shared is None:
            self.rows = nn.Parameter(torch.empty(len(self.keys), dim // chunks))
            self._begin(generator)
        else:
            self.rows = shared.rows
            self._refuse_other_rows(shared, (len(self.keys), dim // chunks))
        self.register_buffer("places", torch.from_numpy(places), persistent=False)
        if isinstance(row_map, HashEmbedding):
            first = row_map.first_column(ids)[:, None] + np.arange(row_map.hashes)
            self.register_buffer("columns", torch.from_numpy(first), persistent=False)

    def forward(self, at: Tensor | None = None) -> Tensor:
        """Gives the vectors (n, dim) of the ids at these places (n,), of all without any."""
        places = self.places if at is None else self.places[:, at]
        if places.shape[2] == 1:
            vectors = self._read(places[:, :, 0])
        elif self.row_map.combine == "weighted":
            vectors = self._weighted(places, at)
        else:
            vectors = self._combined(places)
        return vectors[0] if len(vectors) == 1 else torch.cat(list(vectors), 1)

    def _begin(self, generator: torch.Generator | None) -> None:
        nn.init.xavier_uniform_(self.rows, generator=generator)
        if isinstance(self.row_map, HashEmbedding):
            with torch.no_grad():
                self.rows[self.row_map.rows :] = 0.0  # importance weights are held as p - 1

    def _refuse_other_rows(self, shared: "MappedEmbedding", shape: tuple[int, int]) -> None:
        if shared.row_map != self.row_map or self.row_map.num_rows is None:
            raise ConfigError(
                f"rows are shared behind one map with a fixed number of them, got"
                f" {shared.row_map} and {self.row_map}"
            )
        if tuple(shared.rows.shape) != shape:
            raise ConfigError(f"rows {tuple(shared.rows.shape)} cannot be shared as {shape}")

    def to_table(self, name: str) -> CollisionlessTable:
        """Makes a table that holds these rows, so that its lookup gives the same vectors."""
        width = self.rows.shape[1]
        pooled = self.row_map.features if isinstance(self.row_map, Multiplexed) else ()
        features = tuple(FeatureRule(f) for f in pooled or (self.feature or name,))
        table = make_table(TableConfig.of(name, width, row_map=self.row_map, features=features))
        rows = self.rows.detach().numpy()
        # of the base class, which takes the rows' own ids: several ids may share a row
        CollisionlessTable.assign(table, self.keys, rows)
        return table

    def _read(self, places: Tensor) -> Tensor:
        return nn.functional.embedding(places, self.rows)

    def _combined(self, places: Tensor) -> Tensor:
        """Sums or multiplies rows (C, n, k); a place of -1 holds none."""
        product = self.row_map.combine == "product"
        read = self._read(places.clamp(min=0) if self._ragged else places)
        if self._ragged:
            absent = (places < 0)[..., None]
            read = read.masked_fill(absent, 1.0 if product else 0.0)
        # one by one, in the order of a table's lookup, so that sums have the same bits
        return functools.reduce(torch.mul if product else torch.add, read.unbind(2))

    def _weighted(self, places: Tensor, at: Tensor | None) -> Tensor:
        columns = self.columns if at is None else self.columns[at]
        weights = 1 + self._read(places[:, :, -1]).gather(2, columns[None])
        weighted = self._read(places[:, :, :-1]) * weights[..., None]
        return functools.reduce(torch.add, weighted.unbind(2))


def _places(
    row_map: RowMap, ids: NDArray[np.int64], feature: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gives the rows there are, and int64 (C, N, k) where each id's are among them; -1: none."""
    mapped = row_map.map(ids, feature)
    rows = mapped.rows
    if row_map.num_rows is None:
        keys, rows = np.unique(rows, return_inverse=True)
        rows = rows.reshape(mapped.rows.shape)
    else:
        keys = np.arange(row_map.num_rows)
    if isinstance(mapped.per_id, int):
        return keys, np.ascontiguousarray(rows.reshape(len(rows), len(ids), mapped.per_id))
    counts = mapped.per_id
    padded = np.full((len(rows), len(ids), max(1, int(counts.max(initial=1)))), -1)
    padded[:, np.arange(padded.shape[2]) < counts[:, None]] = rows
    return keys, padded
