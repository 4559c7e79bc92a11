"""Every item ever written, by slot; slots are added at the end and never change."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.index.arguments import distinct
from recsys_embed.index.attributes import Columns, Schema

Ids = NDArray[np.int64]
Slots = NDArray[np.int64]
Floats = NDArray[np.float32]
NEVER = np.iinfo(np.int64).max


class Arrays(NamedTuple):
    """What is kept of a slot; all of length `capacity`, of which the first `size` mean anything.

    Attributes:
        ids: int64, the item.
        vectors: float32 (capacity, D).
        died: int64, the write that deleted or replaced the item; NEVER for one that is there.
        previous: int64, the slot that the item had before; -1 for a new one.
    """

    ids: Ids
    vectors: Floats
    died: NDArray[np.int64]
    previous: Slots


class Items:
    """Gives every written item a new slot and knows the newest slot of every id.

    One thread appends. Any thread may read slots below a size that it saw, in arrays that it got
    together with that size: of a view taken at write w, exactly the slots with died > w are alive,
    whatever has been written since.

    Args:
        dim: of the vectors.
        schema: of the attributes.
        ids: int64 (n,), distinct; they take slots 0 to n - 1.
        vectors: float32 (n, dim).
        columns: their attributes.
    """

    def __init__(self, ids: Ids, vectors: Floats, columns: Columns) -> None:
        self.columns = columns
        self.size = len(ids)
        self._first = native.IdIndex(np.ascontiguousarray(ids))
        self._first_slots: Slots | None = None
        self._later: dict[int, int] = {}
        self.arrays = Arrays(
            ids.copy(), vectors.copy(), np.full(len(ids), NEVER), np.full(len(ids), -1)
        )

    @classmethod
    def restored(
        cls, ids: Ids, vectors: Floats, alive: NDArray[np.bool_], write: int, columns: Columns
    ) -> "Items":
        """Gives items as they were saved after a write: of ids that come twice, the last counts."""
        items = cls(ids[:0], vectors[:0], columns)
        died = np.where(alive, NEVER, write)
        items.arrays = Arrays(ids.copy(), vectors.copy(), died, np.full(len(ids), -1))
        items.size = len(ids)
        last = distinct(ids)
        if last is None:
            last = np.arange(len(ids))
        items._first, items._first_slots = native.IdIndex(ids[last].copy()), last
        return items

    @property
    def schema(self) -> Schema:
        """Of the attributes."""
        return self.columns.schema

    @property
    def num_bytes(self) -> int:
        """Memory of the slots, attributes left out."""
        row: int = 24 + 4 * self.arrays.vectors.shape[1]
        return self.size * row + self._first.num_bytes

    def append(
        self, ids: Ids, vectors: Floats, values: Mapping[str, Sequence[Any]] | None
    ) -> Slots:
        """Gives distinct ids new slots; from now on they are the newest of these ids."""
        start, stop = self.size, self.size + len(ids)
        before = self.newest(ids)
        self._reserve(stop)  # before the columns: if memory is short, both stay as they were
        self.columns.append(values, len(ids))
        arrays = self.arrays
        arrays.ids[start:stop], arrays.vectors[start:stop] = ids, vectors
        arrays.died[start:stop], arrays.previous[start:stop] = NEVER, before
        self.size = stop
        self._later.update(zip(ids.tolist(), range(start, stop), strict=True))
        return np.arange(start, stop)

    def newest(self, ids: Ids) -> Slots:
        """Gives the newest slot of each id, (n,), dead ones included; -1 for an unknown one."""
        slots = self._first.find(ids)
        if self._first_slots is not None and len(self._first_slots):
            slots = np.where(slots >= 0, self._first_slots[slots], -1)
        if self._later:
            found = map(self._later.get, ids.tolist(), itertools.repeat(-1))
            later = np.fromiter(found, np.int64, len(ids))
            slots = np.where(later >= 0, later, slots)
        return slots

    def newest_below(self, ids: Ids, size: int) -> Slots:
        """Gives the newest slot below `size` of each id, (n,); -1 where it had none yet."""
        slots = self.newest(ids)
        previous = self.arrays.previous
        while (late := slots >= size).any():
            slots[late] = previous[slots[late]]
        return slots

    def _reserve(self, size: int) -> None:
        capacity = len(self.arrays.ids)
        if size <= capacity:
            return
        grown = max(size, 2 * capacity, 1024)  # pages that are not touched take no memory
        self.arrays = Arrays(*(_grown(array, self.size, grown) for array in self.arrays))


def _grown(array: NDArray[Any], size: int, capacity: int) -> NDArray[Any]:
    wider = np.empty((capacity, *array.shape[1:]), array.dtype)
    wider[:size] = array[:size]
    return wider
