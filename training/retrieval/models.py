"""Retrieval models over any row map: a user's score of an item is the product of two vectors."""

import warnings
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.retrieval.embedding import MappedEmbedding
from training.retrieval.interactions import Int, Interactions


class Retrieval(Protocol):
    """Gives vectors whose products are scores."""

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Gives those of all users (U, D) and of all items (I, D)."""
        ...

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Gives the scores (n,) of the users' items, and those of other items."""
        ...


class MatrixFactorization(nn.Module):
    """Scores with the vectors as they are. Rendle et al., BPR, arXiv 1205.2618, §4.3.1."""

    def __init__(self, users: MappedEmbedding, items: MappedEmbedding) -> None:
        super().__init__()
        self.users, self.items = users, items

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Gives the tables' vectors."""
        return self.users(), self.items()

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Reads what the batch names, no more."""
        u = self.users(users)
        return (u * self.items(items)).sum(1), (u * self.items(others)).sum(1)


class LightGCN(nn.Module):
    """Scores with the mean of the vectors and of those K times averaged over neighbours.

    E^(k+1) = D^(-1/2) A D^(-1/2) E^(k), of users and items alike; the mean over k = 0..K. He et
    al., LightGCN, arXiv 2002.02126, equations 7 and 8 with equal layer weights.

    Args:
        users: embedding of all users.
        items: embedding of all items.
        interactions: whose train part is the graph; who has no pair there keeps E^(0) / (K + 1).
        layers: K.
    """

    def __init__(
        self,
        users: MappedEmbedding,
        items: MappedEmbedding,
        interactions: Interactions,
        layers: int = 2,
    ) -> None:
        super().__init__()
        self.users, self.items, self.layers = users, items, layers
        self._to_users, self._to_items = normalized(interactions)

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Propagates all vectors."""
        users, items = self.users(), self.items()
        all_users, all_items = users, items
        for _ in range(self.layers):
            users, items = (
                spread(self._to_users, self._to_items, items),
                spread(self._to_items, self._to_users, users),
            )
            all_users, all_items = all_users + users, all_items + items
        return all_users / (self.layers + 1), all_items / (self.layers + 1)

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Propagates all vectors, and reads what the batch names."""
        all_users, all_items = self.vectors()
        u = nn.functional.embedding(users, all_users)
        ours, theirs = (nn.functional.embedding(i, all_items) for i in (items, others))
        return (u * ours).sum(1), (u * theirs).sum(1)


def normalized(interactions: Interactions) -> tuple[Tensor, Tensor]:
    """Gives 1 / sqrt(d_u d_i) at the train pairs, as sparse rows (U, I) and, transposed, (I, U)."""
    users, items = interactions.train
    degrees = [np.bincount(side) for side in (users, items)]
    values = 1 / np.sqrt(degrees[0][users] * degrees[1][items].astype(np.float64))
    shape = (interactions.num_users, interactions.num_items)
    return _csr(users, items, values, shape), _csr(items, users, values, shape[::-1])


def _csr(rows: Int, columns: Int, values: NDArray[np.float64], shape: tuple[int, int]) -> Tensor:
    order = np.lexsort((columns, rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    parts = (starts, columns[order], values[order].astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            *map(torch.from_numpy, parts), size=shape, check_invariants=True
        )


def spread(matrix: Tensor, transposed: Tensor, vectors: Tensor) -> Tensor:
    """Multiplies sparse rows with vectors; gradients flow to the vectors alone."""
    return cast(Tensor, _Spread.apply(matrix, transposed, vectors))


class _Spread(torch.autograd.Function):
    """A product that knows the transpose, which autograd would build anew in each step."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, vectors: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ vectors

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ gradient.contiguous()
