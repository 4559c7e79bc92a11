"""All vectors of a fixed set of ids behind any row map, as one dense parameter."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import RowMap
from recsys_embed.row_maps.hash_embedding import HashEmbedding


class MappedEmbedding(nn.Module):
    """Gives ids the vectors that a table behind the same row map would: chunks of combined rows.

    Where each id's rows are is computed once, so that models can read all ids in every step.

    Args:
        row_map: how ids become rows; one without bound gets a row for each that the ids have.
        ids: int64 (N,), all that will be read; distinct or not.
        dim: of an id's vector, all chunks together.
        feature: whose ids they are.
        generator: of the initial values, which are xavier-uniform.

    Raises:
        ConfigError: if dim is no multiple of the chunks.

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
    ) -> None:
        super().__init__()
        self.row_map, self.ids, self.feature = row_map, ids, feature
        self.keys, places = _places(row_map, ids, feature)
        chunks = places.shape[0]
        if dim < chunks or dim % chunks:
            raise ConfigError(f"dim must be a multiple of the {chunks} chunks, got {dim}")
        self.rows = nn.Parameter(torch.empty(len(self.keys), dim // chunks))
        nn.init.xavier_uniform_(self.rows, generator=generator)
        self.register_buffer("places", torch.from_numpy(places), persistent=False)
        if isinstance(row_map, HashEmbedding):
            first = row_map.first_column(ids)[:, None] + np.arange(row_map.hashes)
            self.register_buffer("columns", torch.from_numpy(first), persistent=False)
            with torch.no_grad():
                self.rows[row_map.rows :] = 0.0  # importance weights are held as p - 1

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

    def _read(self, places: Tensor) -> Tensor:
        return nn.functional.embedding(places, self.rows)

    def _combined(self, places: Tensor) -> Tensor:
        """Sums or multiplies rows (C, n, k); a place of -1 holds none."""
        product = self.row_map.combine == "product"
        absent = (places < 0)[..., None]
        read = self._read(places.clamp(min=0))
        read = read.masked_fill(absent, 1.0 if product else 0.0)
        return read.prod(2) if product else read.sum(2)

    def _weighted(self, places: Tensor, at: Tensor | None) -> Tensor:
        columns = self.columns if at is None else self.columns[at]
        weights = 1 + self._read(places[:, :, -1]).gather(2, columns[None])
        return (self._read(places[:, :, :-1]) * weights[..., None]).sum(2)


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
    padded = np.full((len(rows), len(ids), int(counts.max(initial=1))), -1)
    padded[:, np.arange(padded.shape[2]) < counts[:, None]] = rows
    return keys, padded
