"""NGCF: propagation that learns what neighbours say to each other."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from training.retrieval.interactions import Interactions
from training.retrieval.models import Retrieval, triples_of
from training.retrieval.sparse import adjacency

SLOPE = 0.2


class NGCF(nn.Module):
    """Scores with a model's vectors beside those of K learned propagations, each at length 1.

    E^(k) = LeakyReLU((A + I) E^(k-1) W1 + (A E^(k-1)) * E^(k-1) W2), of users and items alike, A
    being the adjacency over sqrt(d_u d_i). Wang et al., NGCF, arXiv 1905.08108, equations 7 to 9.
    Messages are dropped by leaving out entries of each layer's result while training.

    Args:
        base: gives E^(0), (U, D) and (I, D).
        interactions: whose train part is the graph.
        dims: of each layer; vectors have D + sum(dims) numbers.
        dropout: the chance that an entry is left out.
        generator: of the initial weights.
    """

    def __init__(
        self,
        base: Retrieval,
        interactions: Interactions,
        dims: Sequence[int] = (64, 64, 64),
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.base, self.dropout = base, nn.Dropout(dropout)
        self._adjacency = adjacency(interactions)
        sizes = [base.vectors()[1].shape[1], *dims]
        pairs = list(zip(sizes, sizes[1:], strict=False))
        self.sums, self.products = (
            nn.ModuleList([_linear(a, b, generator) for a, b in pairs]) for _ in range(2)
        )

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Propagates all vectors."""
        users, items = self.base.vectors()
        each = [(users, items)]
        for k in range(len(self.sums)):
            near_users, near_items = self._adjacency @ items, self._adjacency.transposed @ users
            users, items = self._layer(k, users, near_users), self._layer(k, items, near_items)
            each.append((normalize(users, dim=1), normalize(items, dim=1)))
        all_users, all_items = (torch.cat(side, 1) for side in zip(*each, strict=True))
        return all_users, all_items

    def triples(self, users: Tensor, items: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Propagates all vectors, and reads what the batch names."""
        return triples_of(self.vectors(), users, items, others)

    def _layer(self, k: int, own: Tensor, near: Tensor) -> Tensor:
        mixed = self.sums[k](near + own) + self.products[k](near * own)
        result: Tensor = self.dropout(leaky_relu(mixed, SLOPE))
        return result


def _linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(linear.weight, generator=generator)
    nn.init.zeros_(linear.bias)
    return linear
