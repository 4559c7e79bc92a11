"""How good predictions were that were made before their events were learned (prequential)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Metrics, evaluate

Floats = NDArray[np.float32]


class Window:
    """Gathers predictions until there are enough for figures; kept and restored with a run.

    Gama, Sebastiao, Rodrigues, On evaluating stream learning algorithms (2013): each event is
    predicted first and learned from afterwards, so that every event is test data once.

    Args:
        size: events that make a window.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._parts: list[tuple[Floats, Floats, Floats]] = []

    def add(self, logits: Floats, labels: Floats, weights: Floats) -> Metrics | None:
        """Takes predictions of n events (n,); gives the figures of a window that is now full."""
        self._parts.append((logits, labels, weights))
        if sum(len(part[0]) for part in self._parts) < self._size:
            return None
        return self.close()

    def close(self) -> Metrics | None:
        """Gives the figures of what was gathered, and begins anew; None of nothing."""
        parts, self._parts = self._parts, []
        if not parts:
            return None
        logits, labels, weights = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return evaluate(logits, labels, weights)

    def state(self) -> NDArray[np.float32]:
        """Gives what was gathered, float32 (3, n)."""
        empty = np.zeros((3, 0), np.float32)
        return np.concatenate([empty, *(np.stack(part) for part in self._parts)], axis=1)

    def restore(self, state: NDArray[Any]) -> None:
        """Holds what `state` gave, and nothing else."""
        logits, labels, weights = np.array(state)
        self._parts = [(logits, labels, weights)] if len(logits) else []
