"""A table whose ids share rows, slow and obvious: one id after the other, gradients by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import TableConfig, initial_values
from recsys_embed.hashing import hash_string, mix
from recsys_embed.row_maps import Collisionless, HashEmbedding
from tests.reference.optimizers import fresh_state, stepped

Floats = NDArray[np.float64]


class ReferenceMappedTable:
    """Rows of one segment by row id. Ids that were never trained read what training begins with."""

    def __init__(self, config: TableConfig) -> None:
        self.config = config
        self.rows: dict[int, Floats] = {}
        self.state: dict[int, Floats] = {}

    def vectors(self, ids: Sequence[int], feature: str, missing: str = "initial") -> Floats:
        """Reads the vectors (N, W) of ids."""
        width = self.config.vector_dim(feature)
        read = [self._vector(i, feature, missing) for i in ids]
        return np.array(read).reshape(len(ids), width)

    def touch(self, ids: Sequence[int], feature: str) -> None:
        """Gives every row of these ids that is not there its initial value."""
        for i in ids:
            for row in (row for chunk in self.rows_of(i, feature) for row in chunk):
                if row not in self.rows:
                    self.rows[row] = self._initial(row)
                    self.state[row] = fresh_state(self._optimizer, self.config.dim)

    def step(self, given: Sequence[tuple[Sequence[int], str, Any]], lr: float) -> None:
        """Takes one step a distinct row, from (ids, feature, gradients (N, W)) of each feature."""
        sums: dict[int, Floats] = {}
        for ids, feature, grads in given:
            for i, grad in zip(ids, np.asarray(grads, np.float64), strict=True):
                for row, own in self._gradients(i, feature, grad):
                    sums[row] = sums.get(row, np.zeros(self.config.dim)) + own
        for row, grad in sums.items():
            self.rows[row], self.state[row] = stepped(
                self._optimizer, self.rows[row], self.state[row], grad, lr
            )

    def rows_of(self, i: int, feature: str) -> list[list[int]]:
        """Gives an id's rows, chunk by chunk."""
        return [
            [int(row) for row in chunk]
            for chunk in self.config.row_map.map(np.array([i], np.int64), feature).rows
        ]

    @property
    def _optimizer(self) -> Any:
        return self.config.segments[0].optimizer

    def _initial(self, row: int) -> Floats:
        of_rows = replace(self.config, row_map=Collisionless())
        return initial_values(of_rows, np.array([row], np.int64))[0].astype(np.float64)

    def _read(self, row: int, missing: str) -> Floats:
        if row in self.rows:
            return self.rows[row]
        return self._initial(row) if missing == "initial" else np.zeros(self.config.dim)

    def _vector(self, i: int, feature: str, missing: str) -> Floats:
        chunks = []
        for rows in self.rows_of(i, feature):
            read = [self._read(row, missing) for row in rows]
            if self.config.row_map.combine == "product":
                chunks.append(read[0] * read[1])
            elif self.config.row_map.combine == "weighted":
                weights = self._weights(i, read)
                chunks.append(sum(p * e for p, e in zip(weights, read, strict=False)))
            else:
                chunks.append(sum(read))
        return np.concatenate(chunks)

    def _gradients(self, i: int, feature: str, grad: Floats) -> list[tuple[int, Floats]]:
        """Gives what an id's gradient means to each of its rows."""
        chunks = self.rows_of(i, feature)
        parts, own = np.split(grad, len(chunks)), []
        for rows, g in zip(chunks, parts, strict=True):
            read = [self.rows[row] for row in rows]
            if self.config.row_map.combine == "product":
                own += [(rows[0], g * read[1]), (rows[1], g * read[0])]
            elif self.config.row_map.combine == "weighted":
                own += self._weighted_gradients(i, rows, read, g)
            else:
                own += [(row, g) for row in rows]
        return own

    def _weighted_gradients(
        self, i: int, rows: list[int], read: list[Floats], g: Floats
    ) -> list[tuple[int, Floats]]:
        of_weights = np.zeros(self.config.dim)
        for column, vector in zip(self._columns(i), read, strict=False):
            of_weights[column] = vector @ g
        of_vectors = [p * g for p in self._weights(i, read)]
        return list(zip(rows, [*of_vectors, of_weights], strict=True))

    def _weights(self, i: int, read: list[Floats]) -> list[float]:
        return [1 + read[-1][column] for column in self._columns(i)]

    def _columns(self, i: int) -> range:
        """Gives where in its row the importance weights of an id stand."""
        row_map = self.config.row_map
        assert isinstance(row_map, HashEmbedding)
        salt = hash_string(f"importance|0|{row_map.seed}") % 2**63
        own = int(mix(np.array([i], np.int64), salt)[0]) % 2**64 % row_map.importance
        first = own % (self.config.dim // row_map.hashes) * row_map.hashes
        return range(first, first + row_map.hashes)
