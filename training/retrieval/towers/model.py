"""Both towers: encoded features to vectors, the tables in between."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsys_embed.retrieval.description import Ids, Input, Tower
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.network import TowerNetwork
from training.retrieval.towers.tables import TowerTables

BLOCK = 4096


class Side(nn.Module):
    """One tower: its inputs as serving will know them, and its network.

    Args:
        tower: what it is given, and the shape of what it gives.
        tables: that its inputs read.
        hidden: widths of the layers before the last.
    """

    def __init__(self, tower: Tower, tables: TowerTables, hidden: Sequence[int]) -> None:
        super().__init__()
        self.tower, self.tables = tower, tables
        self.network = TowerNetwork(self.widths, hidden, tower.dim, tower.interests)

    @property
    def widths(self) -> list[int]:
        """Columns of each input."""
        return [self.tables.width(o) if isinstance(o, Ids) else 1 for o in self.tower.inputs]

    def forward(self, examples: Examples) -> Tensor:
        """Gives the vectors of N examples, (N, D), or (N, interests, D)."""
        encoded = examples.encoded
        read = (self._read(one, encoded[one.feature]) for one in self.tower.inputs)
        vectors: Tensor = self.network(*read)
        return vectors

    @torch.no_grad()
    def vectors(self, examples: Examples) -> Tensor:
        """Gives the vectors of N examples, a block at a time, and changes no table."""
        every = np.arange(examples.count)
        blocks = [every[i : i + BLOCK] for i in range(0, max(len(every), 1), BLOCK)]
        return torch.cat([self(examples.take(block)) for block in blocks])

    @torch.no_grad()
    def feed(self, examples: Examples) -> dict[str, NDArray[np.float32]]:
        """Gives the network's inputs for N examples by name, as serving feeds its ONNX file."""
        given = examples.encoded
        return {o.feature: self._read(o, given[o.feature]).numpy() for o in self.tower.inputs}

    def _read(self, one: Input, given: Any) -> Tensor:
        return self.tables.pooled(one, given) if isinstance(one, Ids) else torch.from_numpy(given)


class Towers(nn.Module):
    """Both sides over the same tables.

    Args:
        tables: of all inputs.
        user: the user tower.
        item: the item tower.
        hidden: of both.

    Attributes:
        log_sharpness: log of a factor of the scores in training, which starts at 1: the loss's
            temperature divided by it is the one that was learned.
    """

    def __init__(
        self,
        tables: TowerTables,
        user: Tower,
        item: Tower,
        hidden: tuple[Sequence[int], Sequence[int]],
    ) -> None:
        super().__init__()
        self.tables = tables
        self.user, self.item = Side(user, tables, hidden[0]), Side(item, tables, hidden[1])
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Gives (B, C): the product of each user's vector, or best vector, with each item's."""
        if users.dim() == 3:
            return (users @ items.T).amax(dim=1)
        return users @ items.T
