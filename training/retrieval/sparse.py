"""Sparse matrices that do not learn, times vectors that do."""

from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from training.retrieval.interactions import Int, Interactions, Pairs


class Rows(NamedTuple):
    """Weighted sums, one a row: of what, and where each row's begin.

    Args:
        columns: int32 (n,).
        starts: int32 (R + 1,).
        weights: float32 (n,).
    """

    columns: Tensor
    starts: Tensor
    weights: Tensor

    def times(self, vectors: Tensor) -> Tensor:
        """Gives the sums (R, D); a row without any is 0."""
        # four times as fast as a product with torch.sparse_csr_tensor, for any number of threads
        return embedding_bag(
            self.columns,
            vectors,
            self.starts,
            mode="sum",
            per_sample_weights=self.weights,
            include_last_offset=True,
        )


class Sparse(NamedTuple):
    """A matrix (R, C) and its transpose (C, R), which gradients are multiplied with.

    Example:
        >>> matrix = Sparse.of(Pairs(np.array([0, 0]), np.array([1, 2])), np.ones(2), (2, 3))
        >>> (matrix @ torch.eye(3)).tolist()
        [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    rows: Rows
    columns: Rows

    @classmethod
    def of(cls, cells: Pairs, values: NDArray[np.float64], shape: tuple[int, int]) -> "Sparse":
        """Makes the matrix (R, C) that has these values (n,) in these cells, 0 elsewhere."""
        first, second = cells
        return cls(_rows(first, second, values, shape[0]), _rows(second, first, values, shape[1]))

    @property
    def transposed(self) -> "Sparse":
        """The matrix (C, R)."""
        return Sparse(self.columns, self.rows)

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """Gives the product (R, D) with vectors (C, D); gradients flow to them."""
        return cast(Tensor, _Product.apply(self.rows, self.columns, vectors))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Rows, columns: Rows, vectors: Tensor) -> Tensor:
        ctx.columns = columns
        return rows.times(vectors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.columns.times(gradient.contiguous())


def _rows(rows: Int, columns: Int, values: NDArray[np.float64], number: int) -> Rows:
    order = np.lexsort((columns, rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=number))])
    parts = columns[order].astype(np.int32), starts.astype(np.int32)
    return Rows(*map(torch.from_numpy, (*parts, values[order].astype(np.float32))))


def adjacency(interactions: Interactions) -> Sparse:
    """Gives 1 / sqrt(d_u d_i) at the train pairs, (U, I). arXiv 2002.02126, equation 7."""
    users, items = interactions.train
    degrees = [np.bincount(side) for side in (users, items)]
    values = 1 / np.sqrt(degrees[0][users] * degrees[1][items].astype(np.float64))
    return Sparse.of(interactions.train, values, (interactions.num_users, interactions.num_items))


def means(interactions: Interactions) -> Sparse:
    """Gives 1 / d_u at the train pairs, (U, I): times the items' vectors, each user's mean."""
    users = interactions.train.users
    values = 1 / np.bincount(users)[users]
    return Sparse.of(interactions.train, values, (interactions.num_users, interactions.num_items))
