"""A layer: rows and tombstones that hold over whatever lies beneath."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.deltas import TableDelta
from recsys_embed.errors import DeltaError

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


class Layer:
    """Rows by id, and ids that have no row any more; it never changes.

    Attributes:
        ids: int64 (n + t,), those of n rows, then t tombstones; each stands once.
        weights: float32 (n, D), rows of the first n ids.
        index: over the ids.

    Raises:
        DeltaError: if an id stands twice.
    """

    def __init__(self, ids: Ids, weights: Floats, table: str) -> None:
        self.ids, self.weights = ids, weights
        try:
            self.index = native.IdIndex(ids)
        except ValueError as error:
            raise DeltaError(f"table {table!r}: {error}") from None
        self._added: int | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_bytes(self) -> int:
        """Memory that the layer takes."""
        return self.ids.nbytes + self.weights.nbytes + self.index.num_bytes

    @property
    def tombstones(self) -> Ids:
        """Ids that have no row, (t,)."""
        return self.ids[len(self.weights) :]

    def added(self, below: Callable[[], native.Layers]) -> int:
        """Counts how many more rows there are with this layer than beneath it.

        The first call counts, and so takes as long as a lookup of all its ids; what lies beneath
        may be merged by the next, but not be another's.
        """
        if self._added is None:
            held = _held(below(), self.ids)
            self._added = len(self.weights) - int(np.count_nonzero(held))
        return self._added


def layer_of(parts: Sequence[TableDelta], table: str) -> Layer:
    """Makes one layer of changes that follow each other.

    Args:
        parts: the oldest first.
        table: named in errors.

    Raises:
        DeltaError: if an id stands twice in one delta.
    """
    layers = [Layer(*_spelled(part), table) for part in reversed(parts)]
    return layers[0] if len(layers) == 1 else Layer(*_native(layers).merged(), table)


def merge_layers(layers: Sequence[Layer], below: native.Layers, table: str) -> Layer:
    """Makes one layer that stands for several: of each id, the newest word about it.

    Tombstones of ids that have no row beneath are left out.

    Args:
        layers: one on the other, the newest first.
        below: what the last of them lies on.
        table: named in errors.
    """
    ids, weights = _native(layers).merged()
    n = len(weights)
    held = _held(below, ids[n:])
    if not held.all():
        ids = np.concatenate([ids[:n], np.compress(held, ids[n:])])
    return Layer(ids, weights, table)


def _native(layers: Sequence[Layer]) -> native.Layers:
    held = [(layer.index, layer.weights) for layer in layers]
    return native.Layers(held, layers[0].weights.shape[1])


def _held(below: native.Layers, ids: Ids) -> NDArray[np.bool_]:
    held = np.empty(len(ids), np.bool_)
    below.contains(np.ascontiguousarray(ids), held)
    return held


def _spelled(part: TableDelta) -> tuple[Ids, Floats]:
    ids = np.concatenate([part.ids, part.tombstones]) if len(part.tombstones) else part.ids
    ids, weights = np.ascontiguousarray(ids), np.ascontiguousarray(part.weights)
    if part.training is None:
        return ids, weights
    # views would keep the entry's training state in memory as well
    return ids if ids.base is None else ids.copy(), weights.copy()
