"""What the trainer has said of items beside their vectors: the snapshot's word, then the log's."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import AttributesError, SnapshotCorruptError
from recsys_embed.index.attributes import Columns, Schema, values_of
from recsys_embed.retrieval.description import array_name, arrays_under
from serving.retrieval.asked import Ids

Attributes = dict[str, Any]


class TrainedAttributes:
    """Attributes of items by id; one thread changes them, others read them as before or after.

    Args:
        schema: their kinds.
        index: whose they are.
        dense: arrays of the snapshot.

    Raises:
        SnapshotCorruptError: if the arrays do not fit the schema or each other.
    """

    def __init__(self, schema: Schema, index: str, dense: Mapping[str, NDArray[Any]]) -> None:
        self._schema, self._index = schema, index
        self._arrays = _arrays(index, dense)
        ids, values = spelled_attributes(schema, index, dense)
        self._columns = Columns(schema)
        self._columns.append(values, len(ids))
        self._order = np.argsort(ids, kind="stable")
        self._ids = ids[self._order]
        self._later = dict[int, Attributes]()

    def again(self, dense: Mapping[str, NDArray[Any]]) -> "TrainedAttributes":
        """Gives what a newer snapshot says; at once, if it brings the same arrays.

        Raises:
            SnapshotCorruptError: as at the start.
        """
        if not _are_equal(self._arrays, _arrays(self._index, dense)):
            return TrainedAttributes(self._schema, self._index, dense)
        other = copy(self)
        other._later = {}
        return other

    def learn(self, dense: Mapping[str, NDArray[Any]]) -> Ids:
        """Takes in what a delta says, and gives the items that it says something about.

        Raises:
            SnapshotCorruptError: as at the start.
        """
        ids, values = spelled_attributes(self._schema, self._index, dense)
        said = Columns(self._schema)
        said.append(values, len(ids))
        self._later.update(zip(ids.tolist(), said.take(np.arange(len(ids))), strict=True))
        return ids

    def differing(self, other: "TrainedAttributes", ids: Ids) -> Ids:
        """Gives those of some items that another says something else of."""
        if not self._later and not other._later and _are_equal(self._arrays, other._arrays):
            return ids[:0]
        pairs = zip(self.of(ids), other.of(ids), strict=True)
        return ids[np.fromiter((one != said for one, said in pairs), np.bool_, len(ids))]

    def of(self, ids: Ids) -> list[Attributes]:
        """Gives the attributes of items; none of those of which nothing was said."""
        found: list[Attributes] = [{} for _ in range(len(ids))]
        if len(self._ids):
            at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
            held = np.flatnonzero(self._ids[at] == ids)
            taken = self._columns.take(self._order[at[held]])
            for position, attributes in zip(held.tolist(), taken, strict=True):
                found[position] = attributes
        if self._later:
            for position, id in enumerate(ids.tolist()):
                found[position] = self._later.get(id, found[position])
        return found


def _arrays(index: str, dense: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any] | None]:
    return {"": dense.get(array_name(index, "ids")), **arrays_under(dense, index, "attributes")}


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(array, other[name]) for name, array in one.items()
    )


def spelled_attributes(
    schema: Schema, index: str, dense: Mapping[str, NDArray[Any]]
) -> tuple[Ids, Mapping[str, Sequence[Any]]]:
    """Reads items and their attributes from arrays; no items if there are none.

    Raises:
        SnapshotCorruptError: if they do not fit the schema or each other.
    """
    where = array_name(index, "ids")
    ids = dense.get(where)
    arrays = arrays_under(dense, index, "attributes")
    if ids is None:
        if arrays:
            raise SnapshotCorruptError(
                f"index {index!r}: expected {where!r} beside the attributes, found none"
            )
        return np.zeros(0, np.int64), {}
    if ids.dtype != np.int64 or ids.ndim != 1 or len(np.unique(ids)) < len(ids):
        raise SnapshotCorruptError(
            f"{where}: expected distinct int64 ids, found {ids.dtype} of shape {ids.shape}"
        )
    try:
        values = values_of(arrays, schema)
    except AttributesError as error:
        raise SnapshotCorruptError(f"index {index!r}: {error}") from None
    if any(len(column) != len(ids) for column in values.values()):
        raise SnapshotCorruptError(f"index {index!r}: expected attributes of {len(ids)} items")
    return np.asarray(ids), values
