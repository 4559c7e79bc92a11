"""Our side of `benchmarks.table`: one table, always from raw ids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.batches import Bags, ids_of
from benchmarks.peers import LEARNING_RATE
from recsys_embed import CollisionlessTable, TableConfig

INSERT_BATCH = 32_768


class OurTable:
    """A `CollisionlessTable` with row-wise Adagrad that holds the ids of dense indices 0 .. R-1."""

    def __init__(self, num_rows: int, dim: int) -> None:
        self.table = CollisionlessTable(TableConfig.of("bench", dim))
        self._new = [
            ids_of(np.arange(start, min(start + INSERT_BATCH, num_rows)))
            for start in range(0, num_rows, INSERT_BATCH)
        ]

    def fill(self) -> None:
        """Admits every id, none of which has a row yet."""
        for ids in self._new:
            self.table.train_lookup(ids)

    def lookup(self, work: Sequence[Bags]) -> None:
        """Pools every batch, changing nothing."""
        for batch in work:
            self.table.lookup_pooled(batch.ids, batch.offsets)

    def step(self, work: Sequence[Bags], grad: NDArray[np.float32]) -> None:
        """Takes one training step a batch: forward, then backward with the optimizer."""
        for batch in work:
            found = self.table.train_lookup_pooled(batch.ids, batch.offsets)
            self.table.apply_pooled_gradients(found.rows, batch.offsets, grad, lr=LEARNING_RATE)

    def remap(self, work: Sequence[Bags]) -> None:
        """Finds the rows of every batch as training does, reading their vectors as well."""
        for batch in work:
            self.table.train_lookup(batch.ids)
