"""Several tables in one call, for models with many small ones: what a call costs is paid once."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.arrays import as_array, as_ids, as_matrix, as_output, as_rates, as_weights
from recsys_embed.errors import ConfigError, InputError, MissingIdError
from recsys_embed.optimizers import Optimizer
from recsys_embed.row_maps import Collisionless
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_arguments import Missing, Mode, missing_policy, not_finite
from recsys_embed.table_types import Evicted

Rate = float | Sequence[float]


class Member(NamedTuple):
    """A table of a group, with the features it serves there, in the order of their bags."""

    table: CollisionlessTable
    features: Sequence[int | str] = (0,)
    mode: Mode = "sum"


class GroupBags(NamedTuple):
    """Checked arguments of a call, as the native core takes them."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    starts: NDArray[np.int64]
    num_bags: int
    weights: NDArray[np.float32] | None


class GroupRows(NamedTuple):
    """Where a training lookup found its ids; only the group that made it can read it."""

    bags: GroupBags
    found: native.GroupRows
    owner: object


class GroupLookup(NamedTuple):
    """The answer of a training lookup: values, handle for the gradients, rows lost by table."""

    values: NDArray[np.float32]
    rows: GroupRows
    evicted: dict[str, Evicted]


class TableGroup:
    """Looks up and trains several tables at once, to the bits that one after the other would give.

    Tables share the threads out among themselves instead of sharing each one's work, so that many
    small tables are as quick as a large one. Each is locked while its own work is done: calls of a
    group overlap as the calls of its tables do.

    In each call, table t has B bags for each of its F features, feature-major: bag b of feature f
    holds ids [offsets[k], offsets[k + 1]) with k = starts[t] + f * B + b. Tables may read the same
    ids. A table's columns in `out` and `grads`, F * D of them, follow those of the one before.

    Args:
        members: the tables, each once.

    Raises:
        ConfigError: for two tables of one name, a table whose ids share rows, or a mode that is
            neither "sum" nor "mean".

    Example:
        >>> from recsys_embed import TableConfig
        >>> tables = [CollisionlessTable(TableConfig.of(name, dim=2)) for name in ("user", "item")]
        >>> group = TableGroup([Member(table) for table in tables])
        >>> ids, offsets = np.array([7, 8, 9]), np.array([0, 1, 3])
        >>> found = group.train_lookup_pooled(ids, offsets, starts=[0, 1], num_bags=1)
        >>> group.apply_pooled_gradients(found.rows, np.ones((1, 4), np.float32), lr=0.1)
        >>> found.values.shape, [len(table) for table in tables]
        ((1, 4), [1, 2])
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        refuse_members(self.members)
        configs = [m.table.config for m in self.members]
        if shared := [c.name for c in configs if not isinstance(c.row_map, Collisionless)]:
            raise ConfigError(f"a group takes collisionless tables, but ids of {shared} share rows")
        features = [[m.table._feature(f) for f in m.features] for m in self.members]
        self._counts = [len(f) for f in features]
        self._width = sum(n * c.dim for n, c in zip(self._counts, configs, strict=True))
        self._dims = sorted({c.dim for c in configs})
        self._optimizers = tuple(tuple(s.optimizer for s in c.segments) for c in configs)
        self._needs_time = any(m.table._expires or m.table.config.clock == "wall" for m in members)
        means = [m.mode == "mean" for m in self.members]
        self._native = native.TableGroup([m.table._native for m in self.members], features, means)

    def lookup_pooled(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        starts: ArrayLike,
        *,
        num_bags: int,
        weights: ArrayLike | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> NDArray[np.float32]:
        """Pools every table's bags, shape (B, sum of F * D); never changes a table.

        Args:
            ids: int64, shape (N,).
            offsets: int64, where bags begin and end.
            starts: int64, shape (T,): the first bag of each table.
            num_bags: B.
            weights: float32 factors of the ids, shape (N,).
            missing: as for `CollisionlessTable.lookup`; a vector if all tables have its size.
            out: where to write, float32 with contiguous rows; made if None.

        Raises:
            InputError: for a wrong dtype, shape or stride, or offsets that decrease or overrun.
            MissingIdError: under "error", naming ids without a row.
        """
        bags = checked_bags(len(self.members), ids, offsets, starts, num_bags, weights)
        values = as_output(out, num_bags, self._width)
        policy = self._missing(missing, training=False)
        self._call(self._native.lookup_pooled, *bags, *policy, values)
        return values

    def train_lookup_pooled(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        starts: ArrayLike,
        *,
        num_bags: int,
        weights: ArrayLike | None = None,
        time: int | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> GroupLookup:
        """Counts, admits, refreshes and pools in every table, as its `train_lookup_pooled` does.

        Args:
            ids, offsets, starts, num_bags, weights, missing, out: as for `lookup_pooled`.
            time: seconds since the epoch, for tables on an event clock.

        Raises:
            InputError: as for `CollisionlessTable.train_lookup_pooled`; nothing is changed.
        """
        bags = checked_bags(len(self.members), ids, offsets, starts, num_bags, weights)
        out = as_output(out, num_bags, self._width)
        now = self._now(time)
        policy = self._missing(missing, training=True)
        found, losses = self._call(self._native.train_lookup_pooled, *bags, *policy, now, out)
        evicted = {self.members[m].table.config.name: Evicted(i, r) for m, i, r in losses}
        return GroupLookup(out, GroupRows(bags, found, self._native), evicted)

    def apply_pooled_gradients(
        self, rows: GroupRows, grads: ArrayLike, *, lr: Rate | Sequence[Rate]
    ) -> None:
        """Steps every table as its `apply_pooled_gradients` does, or none.

        Args:
            rows: the handle of this group's training lookup, which knows the bags.
            grads: float32, shape (B, sum of F * D), rows contiguous.
            lr: one rate; or one for each table: a rate, or a rate for each segment.

        Raises:
            InputError: for a wrong dtype, shape, stride or rate, or a gradient that is NaN or
                infinite; nothing is changed.
        """
        if rows.owner is not self._native:
            raise InputError("the rows handle is another group's")
        grads = as_matrix(grads, rows.bags.num_bags, self._width, "grads")
        rates = _rates(_hashable(lr), self._optimizers)
        if not self._call(
            self._native.apply_pooled_gradients, *rows.bags, rows.found, grads, rates
        ):
            raise not_finite(grads)

    def _now(self, time: int | None) -> list[int]:
        """Gives each table's time, or nothing if each stays at its own clock."""
        if time is None and not self._needs_time:
            return []
        return [m.table._time(time) for m in self.members]

    def _missing(
        self, missing: Missing, *, training: bool
    ) -> tuple[int, NDArray[np.float32] | None]:
        policy, vector = missing_policy(
            missing, self.members[0].table.config.dim, training=training
        )
        if isinstance(missing, str):  # zeros serve tables of any size
            return policy, None if vector is None else np.zeros(self._dims[-1], np.float32)
        if len(self._dims) > 1:
            raise InputError(f"a missing vector needs tables of one size, got {self._dims}")
        return policy, vector

    def _call(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except native.MissingIds as error:
            some, total = error.args
            raise MissingIdError(
                f"one of the tables {', '.join(m.table.config.name for m in self.members)}"
                f" has no row for {total} of its ids: {', '.join(map(str, some))}"
                f"{', ...' if total > len(some) else ''}"
            ) from None
        except ValueError as error:
            raise InputError(str(error)) from None


def refuse_members(members: Sequence[Member]) -> None:
    """Refuses tables that cannot be called together.

    Raises:
        ConfigError: for no table, two of one name, or a mode that is neither "sum" nor "mean".
    """
    names, modes = [m.table.config.name for m in members], [m.mode for m in members]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"a group needs tables of distinct names, got {names}")
    if not set(modes) <= {"sum", "mean"}:
        raise ConfigError(f"the mode of a member must be sum or mean, got {modes}")


def checked_bags(
    tables: int, ids: Any, offsets: Any, starts: Any, num_bags: int, weights: Any
) -> GroupBags:
    """Views the bags of so many tables as arrays; where they lie is not looked at.

    Raises:
        InputError: for a wrong dtype, shape or stride.
    """
    ids, starts = as_ids(ids), np.ascontiguousarray(as_array(starts), np.int64)
    offsets = as_array(offsets)
    if offsets.dtype != np.int64 or offsets.ndim != 1 or not offsets.flags.c_contiguous:
        raise InputError(
            f"offsets must be contiguous int64 of shape (bags + 1,),"
            f" got {offsets.dtype} of shape {offsets.shape}"
        )
    if starts.shape != (tables,) or num_bags < 0:
        raise InputError(
            f"a group of {tables} tables needs as many starts and num_bags >= 0,"
            f" got starts of shape {starts.shape} and num_bags {num_bags}"
        )
    return GroupBags(ids, offsets, starts, num_bags, as_weights(weights, len(ids)))


@functools.lru_cache(maxsize=64)
def _rates(lr: Any, optimizers: tuple[tuple[Optimizer, ...], ...]) -> NDArray[np.float32]:
    """Lays out every table's rates, one a segment, in turn."""
    each = lr if isinstance(lr, tuple) else (lr,) * len(optimizers)
    if len(each) != len(optimizers):
        raise InputError(f"lr must be one rate or {len(optimizers)}, one a table; got {len(each)}")
    flat = [rate for own, o in zip(each, optimizers, strict=True) for rate in as_rates(own, o)]
    return np.array(flat, np.float32)


def _hashable(lr: Any) -> Any:
    return tuple(_hashable(rate) for rate in lr) if hasattr(lr, "__len__") else lr
