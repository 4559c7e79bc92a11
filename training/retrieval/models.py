"""Retrieval models over any row map: a user's score of an item is the product of two vectors."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from training.retrieval.embedding import MappedEmbedding
from training.retrieval.interactions import Interactions
from training.retrieval.sparse import adjacency, means


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


class Cosine(nn.Module):
    """Scores with the cosine of a model's vectors, in [-1, 1]; a vector of zeros stays one."""

    def __init__(self, base: Retrieval) -> None:
        super().__init__()
        self.base = base

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Gives the base model's at length 1."""
        users, items = self.base.vectors()
        return normalize(users, dim=1), normalize(items, dim=1)

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Gives cosines of what the batch names."""
        return triples_of(self.vectors(), users, items, others)


class HistoryTower(nn.Module):
    """Makes a user of who they are and of what they took.

    u = (1 - g) e_u + g V mean of e_i over the user's train items; an item is its e_i. Mao et al.,
    SimpleX, arXiv 2109.12613, with average pooling; with g = 1, a user needs no row of
    their own, as in Covington et al., YouTube DNN, RecSys 2016.

    Args:
        users: embedding of all users.
        items: embedding of all items.
        interactions: whose train part is the histories; who has none keeps (1 - g) e_u.
        share: g.
    """

    def __init__(
        self,
        users: MappedEmbedding,
        items: MappedEmbedding,
        interactions: Interactions,
        share: float = 0.5,
    ) -> None:
        super().__init__()
        self.users, self.items, self.share = users, items, share
        self.mixing = nn.Parameter(torch.eye(items().shape[1]))
        self._means = means(interactions)

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Pools every user's history."""
        items = self.items()
        history = (self._means @ items) @ self.mixing
        return (1 - self.share) * self.users() + self.share * history, items

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Pools every user's history, and reads what the batch names."""
        return triples_of(self.vectors(), users, items, others)


class Propagated(nn.Module):
    """Scores with the mean of a model's vectors and of those K times averaged over neighbours.

    E^(k+1) = D^(-1/2) A D^(-1/2) E^(k), of users and items alike; the mean over k = 0..K. He et
    al., LightGCN, arXiv 2002.02126, equations 7 and 8 with equal layer weights.

    Args:
        base: gives E^(0).
        interactions: whose train part is the graph; who has no pair there keeps E^(0) / (K + 1).
        layers: K.
    """

    def __init__(self, base: Retrieval, interactions: Interactions, layers: int = 2) -> None:
        super().__init__()
        self.base, self.layers = base, layers
        self._adjacency = adjacency(interactions)

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Propagates all vectors."""
        users, items = all_users, all_items = self.base.vectors()
        for _ in range(self.layers):
            users, items = self._adjacency @ items, self._adjacency.transposed @ users
            all_users, all_items = all_users + users, all_items + items
        return all_users / (self.layers + 1), all_items / (self.layers + 1)

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Propagates all vectors, and reads what the batch names."""
        return triples_of(self.vectors(), users, items, others)


class LightGCN(Propagated):
    """Propagates the vectors of two embeddings: LightGCN as it was published."""

    def __init__(
        self,
        users: MappedEmbedding,
        items: MappedEmbedding,
        interactions: Interactions,
        layers: int = 2,
    ) -> None:
        super().__init__(MatrixFactorization(users, items), interactions, layers)

    @property
    def users(self) -> MappedEmbedding:
        """The users' E^(0)."""
        return cast(MatrixFactorization, self.base).users

    @property
    def items(self) -> MappedEmbedding:
        """The items' E^(0)."""
        return cast(MatrixFactorization, self.base).items


def triples_of(
    vectors: tuple[Tensor, Tensor], users: Tensor, items: Tensor, others: Tensor
) -> tuple[Tensor, Tensor]:
    """Gives the scores (n,) of users' items, and of other items, from the vectors of all."""
    u = embedding(users, vectors[0])
    ours, theirs = (embedding(i, vectors[1]) for i in (items, others))
    return (u * ours).sum(1), (u * theirs).sum(1)
