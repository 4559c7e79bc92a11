"""An engine that sees fewer dimensions than queries and items have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from recsys_embed.index.engines.protocol import Chosen, Engine, Floats, Hits, Mask, Reach, Slots
from recsys_embed.index.projection import Projection

PREFIX = "projection/"


class ProjectedEngine:
    """Projects what it is given and asks another engine; its scores stand for the full ones.

    Args:
        engine: over projected vectors.
        projection: of queries and items.
    """

    is_exact = False
    scores_are_exact = False

    def __init__(self, engine: Engine, projection: Projection) -> None:
        self._engine = engine
        self._projection = projection
        self.kind, self.forgets = engine.kind, engine.forgets
        self.parameters, self.reach = engine.parameters, engine.reach

    @property
    def most_steps(self) -> int:
        """See `Engine.most_steps`."""
        return self._engine.most_steps

    @property
    def num_bytes(self) -> int:
        """See `Engine.num_bytes`."""
        return self._engine.num_bytes

    @property
    def imbalance(self) -> float:
        """See `Engine.imbalance`."""
        return self._engine.imbalance

    def with_steps(self, steps: int) -> Parameters:
        """See `Engine.with_steps`."""
        return self._engine.with_steps(steps)

    def chosen(self, mask: Mask) -> Chosen:
        """See `Engine.chosen`."""
        return self._engine.chosen(mask)

    def search(
        self, queries: Floats, k: int, chosen: Chosen | None, parameters: Parameters
    ) -> Hits:
        """See `Engine.search`."""
        asked = np.ascontiguousarray(self._projection.of_queries(queries))
        return self._engine.search(asked, k, chosen, parameters)

    def folded(self, slots: Slots, vectors: Floats, keep: Mask | None) -> "ProjectedEngine":
        """See `Engine.folded`."""
        projected = np.ascontiguousarray(self._projection.of_items(vectors))
        return ProjectedEngine(self._engine.folded(slots, projected, keep), self._projection)

    def tuned(self, parameters: Parameters, reach: Reach) -> "ProjectedEngine":
        """See `Engine.tuned`."""
        return ProjectedEngine(self._engine.tuned(parameters, reach), self._projection)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Engine.arrays`."""
        own = {PREFIX + name: array for name, array in self._projection.arrays().items()}
        return {**self._engine.arrays(), **own}


def projection_in(arrays: Mapping[str, NDArray[Any]]) -> Projection | None:
    """Reads the projection among an engine's arrays, if there is one."""
    own = {n.removeprefix(PREFIX): a for n, a in arrays.items() if n.startswith(PREFIX)}
    return Projection.from_arrays(own) if own else None
