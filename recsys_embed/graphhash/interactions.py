"""Who interacted with what, how much: a bipartite graph of users and items, checked once."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array

from recsys_embed.errors import InputError
from recsys_embed.hashing import ids_of

MAX_IDS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Bipartite:
    """Users, items and one weighted edge between each two that interacted.

    Build it by `from_arrays` or another of the `from_…` functions, which check what they are given.

    Args:
        user_ids: int64 (U,), ascending.
        item_ids: int64 (I,), ascending.
        offsets: int64 (U + 1,): the edges of user u are offsets[u] to offsets[u + 1].
        items: int32 (E,), each edge's place in `item_ids`.
        weights: float32 (E,), positive; None: all 1.
        merged: how many edges were repeated and went into another's weight.
    """

    user_ids: NDArray[np.int64]
    item_ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32] | None = None
    merged: int = 0
    users: NDArray[np.int32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._refuse_inconsistent()
        places = np.arange(len(self.user_ids), dtype=np.int32)
        object.__setattr__(self, "users", np.repeat(places, np.diff(self.offsets)))

    def _refuse_inconsistent(self) -> None:
        """Refuses arrays that do not fit each other: the native core trusts them."""
        begins, ends = (int(self.offsets[at]) if len(self.offsets) else 0 for at in (0, -1))
        steady = len(self.offsets) == len(self.user_ids) + 1 and (np.diff(self.offsets) >= 0).all()
        highest = int(self.items.max(initial=-1))
        if not steady or (begins, ends) != (0, len(self.items)):
            raise InputError(
                f"offsets must be {len(self.user_ids) + 1} that rise from 0 to {len(self.items)},"
                f" got {len(self.offsets)} from {begins} to {ends}"
            )
        if highest >= len(self.item_ids) or self.items.min(initial=0) < 0:
            raise InputError(
                f"items must be places in [0, {len(self.item_ids)}), got"
                f" {self.items.min()} to {highest}"
            )
        if self.weights is not None and self.weights.shape != self.items.shape:
            raise InputError(
                f"expected a weight for each of {len(self.items)} edges, got {self.weights.shape}"
            )

    @property
    def num_edges(self) -> int:
        """Distinct pairs that interacted."""
        return len(self.items)

    @property
    def total_weight(self) -> float:
        """The m of the modularity."""
        if self.weights is None:
            return float(self.num_edges)
        return float(self.weights.sum(dtype=np.float64))

    @property
    def user_degrees(self) -> NDArray[np.float64]:
        """The summed weights of each user's edges, (U,); 0 for an isolated one."""
        return np.bincount(self.users, self.weights, len(self.user_ids)).astype(np.float64)

    @property
    def item_degrees(self) -> NDArray[np.float64]:
        """The summed weights of each item's edges, (I,)."""
        return np.bincount(self.items, self.weights, len(self.item_ids)).astype(np.float64)


def from_arrays(
    users: ArrayLike,
    items: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    user_ids: ArrayLike | None = None,
    item_ids: ArrayLike | None = None,
) -> Bipartite:
    """Builds the graph from E interactions, in any order.

    Edges that repeat are merged, their weights summed; edges of weight 0 count as none.

    Args:
        users: (E,) integers, or strings, which get their ids by `recsys_embed.ids_of`.
        items: (E,) likewise.
        weights: (E,) finite, not negative; left out: all 1.
        user_ids: users to have in the graph even without an edge.
        item_ids: items likewise.

    Raises:
        InputError: for lengths that differ, a weight that is negative or not finite, or no edge.

    Example:
        >>> graph = from_arrays([7, 7, 9], ["pen", "pen", "ink"])
        >>> graph.num_edges, graph.merged, graph.user_degrees
        (2, 1, array([2., 1.]))
    """
    of_users, of_items = ids_of(users), ids_of(items)
    if of_users.shape != of_items.shape or of_users.ndim != 1:
        raise InputError(
            f"expected as many items as users, got {of_items.shape} and {of_users.shape}"
        )
    known_users, user_at = _places(of_users, user_ids)
    known_items, item_at = _places(of_items, item_ids)
    kept = _checked(weights, len(of_users))
    if kept is not None and not kept.all():
        user_at, item_at, kept = user_at[kept > 0], item_at[kept > 0], kept[kept > 0]
    _refuse_empty(len(user_at), len(known_users), len(known_items))
    return _merged(known_users, known_items, user_at, item_at, kept)


def _checked(weights: ArrayLike | None, count: int) -> NDArray[np.float32] | None:
    if weights is None:
        return None
    given = np.asarray(weights)
    if given.shape != (count,) or given.dtype.kind not in "biuf":
        raise InputError(
            f"weights must be numbers of shape ({count},), got {given.dtype} {given.shape}"
        )
    with np.errstate(over="ignore"):
        kept = given.astype(np.float32)
    for wrong, name in ((~np.isfinite(kept), "not finite"), (kept < 0, "negative")):
        if wrong.any():
            at = int(wrong.argmax())
            raise InputError(
                f"weights must be finite and not negative; {int(wrong.sum())} of {count} are"
                f" {name}, the first is {given[at]} at {at}"
            )
    return kept


def _refuse_empty(num_edges: int, num_users: int, num_items: int) -> None:
    if not num_edges:
        raise InputError(
            "clusters need at least one interaction, got 0 edges of a positive weight between"
            f" {num_users} users and {num_items} items"
        )
    if max(num_users, num_items) > MAX_IDS:
        raise InputError(f"at most {MAX_IDS} users and items, got {num_users} and {num_items}")


def _places(
    ids: NDArray[np.int64], more: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Gives the distinct ids, ascending, and each id's place among them."""
    every = ids if more is None else np.concatenate([ids, ids_of(more)])
    low, high = (int(every.min()), int(every.max())) if len(every) else (0, 0)
    if high - low > 4 * len(every) + 1024:
        known, at = np.unique(every, return_inverse=True)
        return known, at[: len(ids)].astype(np.int32)
    is_known = np.zeros(high - low + 1, np.bool_)  # dense ids: no sorting
    is_known[every - low] = len(every) > 0
    places = np.cumsum(is_known, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(is_known) + low, places[ids - low]


def _merged(
    user_ids: NDArray[np.int64],
    item_ids: NDArray[np.int64],
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    weights: NDArray[np.float32] | None,
) -> Bipartite:
    filled = np.ones(len(users), np.float32) if weights is None else weights
    shape = (len(user_ids), len(item_ids))
    matrix: Any = coo_array((filled, (users, items)), shape=shape).tocsr()
    summed = None if (matrix.data == 1).all() else matrix.data
    matrix.sort_indices()
    return Bipartite(
        user_ids,
        item_ids,
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32, copy=False),
        summed,
        len(users) - matrix.nnz,
    )
