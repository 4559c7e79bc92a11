"""A layer: rows and tombstones that hold over whatever lies beneath."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.deltas import TableDelta
from recsys_embed.errors import DeltaError

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """Rows by id, and ids that have no row any more; it never changes.

    Attributes:
        ids: int64 (n + t,), those of n rows, then t tombstones; each stands once.
        weights: float32 (n, D), rows of the first n ids.
        index: over the ids.
        added: how many more rows there are with this layer than beneath it.
    """

    ids: Ids
    weights: Floats
    index: native.IdIndex
    added: int

    @property
    def num_bytes(self) -> int:
        """Memory that the layer takes."""
        return self.ids.nbytes + self.weights.nbytes + self.index.num_bytes

    @property
    def tombstones(self) -> Ids:
        """Ids that have no row, (t,)."""
        return self.ids[len(self.weights) :]


def layer_of(parts: Sequence[TableDelta], below: native.Layers, table: str) -> Layer:
    """Makes one layer of changes that follow each other.

    Args:
        parts: the oldest first.
        below: what the layer will lie on.
        table: named in errors.

    Raises:
        DeltaError: if an id stands twice in one delta.
    """
    if len(parts) == 1:
        return _over(below, *_spelled(parts[0]), table)
    arrays = [_spelled(part) for part in reversed(parts)]
    held = [(_indexed(ids, table), weights) for ids, weights in arrays]
    return _over(below, *native.Layers(held, parts[0].dim).merged(), table)


def merge_layers(layers: Sequence[Layer], below: native.Layers) -> Layer:
    """Makes one layer that stands for several: of each id, the newest word about it.

    Args:
        layers: one on the other, the newest first.
        below: what the last of them lies on.
    """
    held = [(layer.index, layer.weights) for layer in layers]
    ids, weights = native.Layers(held, layers[0].weights.shape[1]).merged()
    return _over(below, ids, weights, "")


def _spelled(part: TableDelta) -> tuple[Ids, Floats]:
    ids = np.concatenate([part.ids, part.tombstones]) if len(part.tombstones) else part.ids
    weights = np.ascontiguousarray(part.weights)
    if part.training is not None and weights.base is not None:
        weights = weights.copy()  # a view would keep the entry's training state in memory as well
    return np.ascontiguousarray(ids), weights


def _over(below: native.Layers, ids: Ids, weights: Floats, table: str) -> Layer:
    """Makes a layer, without the tombstones of ids that have no row beneath it."""
    n = len(weights)
    held = np.empty(len(ids), np.bool_)
    below.contains(ids, held)
    added = n - int(np.count_nonzero(held))
    if not held[n:].all():
        ids = np.concatenate([ids[:n], np.compress(held[n:], ids[n:])])
    return Layer(ids, weights, _indexed(ids, table), added)


def _indexed(ids: Ids, table: str) -> native.IdIndex:
    try:
        return native.IdIndex(ids)
    except ValueError as error:
        raise DeltaError(f"table {table!r}: {error}") from None
