"""The collisionless table: a dictionary from ids to trained rows."""

import time as system_time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed import native
from recsys_embed.arrays import (
    as_feature_offsets,
    as_ids,
    as_matrix,
    as_offsets,
    as_output,
    as_rates,
    as_weights,
)
from recsys_embed.changes import Changes
from recsys_embed.cut import COUNTERS, Cut
from recsys_embed.errors import ConfigError, InputError, MissingIdError
from recsys_embed.native_table import make_native
from recsys_embed.row_maps import Collisionless
from recsys_embed.table_arguments import (
    Missing,
    Mode,
    checked_time,
    feature_number,
    is_mean,
    is_several,
    missing_policy,
    not_finite,
    not_negative,
)
from recsys_embed.table_config import TableConfig
from recsys_embed.table_restoring import apply_changes, restore_meta, restore_rows
from recsys_embed.table_types import Evicted, Lookup, RowBlock, Rows, TableStats

ALL_ROWS = 2**32


class CollisionlessTable:
    """Holds one row for each id admitted, and never lets two ids share one.

    Every int64 is a legal id. A row's initial value is a function of (seed, table name, id,
    position) alone, so training gives the same bits for any number of threads and any order of
    insertion.

    Overlap: `lookup`, `lookup_pooled`, `contains`, `initial_values`, `stats`, `ids`, `rows` and
    reading a cut may run in any number of threads at once. The others write: they wait for running
    lookups and make later ones wait, so that nobody sees half a change. All release the GIL.

    Args:
        config: what the table is made of.

    Example:
        >>> table = CollisionlessTable(TableConfig.of("item", dim=2, seed=1))
        >>> answer = table.train_lookup(np.array([7, -1, 7]))
        >>> table.apply_gradients(answer.rows, np.ones((3, 2), np.float32), lr=0.1)
        >>> len(table), -1 in table, 8 in table
        (2, True, False)
    """

    def __init__(self, config: TableConfig) -> None:
        self._refuse_row_map(config)
        self.config = config
        self._native = make_native(config)
        self._features = {rule.name: i for i, rule in enumerate(config.features)}
        self._optimizers = [segment.optimizer for segment in config.segments]
        self._expires = any(rule.ttl_s for rule in config.features)

    def lookup(
        self, ids: ArrayLike, *, missing: Missing = "initial", out: Any = None
    ) -> NDArray[np.float32]:
        """Reads the weights of N ids, shape (N, D); never inserts, refreshes or writes.

        Args:
            ids: int64, shape (N,); order and duplicates are kept.
            missing: what an id without a row gives: its "initial" value, "zeros", a float32 vector
                of shape (D,), or "error".
            out: where to write, float32 (N, D) with contiguous rows; made if None.

        Raises:
            InputError: for a wrong dtype, shape or stride.
            MissingIdError: under "error", naming ids without a row.
        """
        ids = as_ids(ids)
        values = as_output(out, len(ids), self.config.dim)
        policy, vector = missing_policy(missing, self.config.dim)
        self._call(self._native.lookup, ids, values, policy, vector)
        return values

    def lookup_pooled(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        *,
        mode: Mode = "sum",
        weights: ArrayLike | None = None,
        num_features: int = 1,
        missing: Missing = "initial",
        out: Any = None,
    ) -> NDArray[np.float32]:
        """Sums or averages the weights of each bag, shape (B, F * D); never changes the table.

        Args:
            ids: int64, shape (N,).
            offsets: feature-major bags, shape (F * B + 1,): bag b of feature f holds ids
                [offsets[f * B + b], offsets[f * B + b + 1]). An empty bag gives zeros.
            mode: "sum", or "mean": the sum divided by the number of ids of the bag.
            weights: float32 factors of the ids, shape (N,).
            num_features: F.
            missing: as for `lookup`.
            out: where to write, float32 (B, F * D) with contiguous rows; made if None.

        Raises:
            InputError: for a wrong dtype, shape or stride, or offsets that decrease or overrun.
            MissingIdError: under "error", naming ids without a row.
        """
        ids = as_ids(ids)
        offsets = as_offsets(offsets, len(ids), num_features)
        factors = as_weights(weights, len(ids))
        values = self._pooled_output(out, offsets, num_features)
        policy, vector = missing_policy(missing, self.config.dim)
        mean = is_mean(mode)
        self._call(self._native.lookup_pooled, ids, offsets, values, factors, mean, policy, vector)
        return values

    def train_lookup(
        self,
        ids: ArrayLike,
        *,
        feature: int | str | Sequence[int | str] = 0,
        feature_offsets: ArrayLike | None = None,
        time: int | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> Lookup:
        """Counts N occurrences in order, admits what has earned a row, refreshes and reads.

        An occurrence before its id's admission reads `missing` and gets no gradient. A row whose
        time to live is over counts as absent, whether a sweep has come by or not.

        Args:
            ids: int64, shape (N,).
            feature: index or name of the feature whose admission and expiry rules apply; or F of
                them, with `feature_offsets`.
            feature_offsets: int64, shape (F + 1,): ids [feature_offsets[f], feature_offsets[f + 1])
                are those of the f-th feature.
            time: seconds since the epoch, on an event clock; required if any feature expires.
            missing: as for `lookup`, without "error".
            out: as for `lookup`.

        Returns:
            The values (N, D), the handle for `apply_gradients`, and the rows that expired or fell
            to the budget in this call.

        Raises:
            InputError: for a wrong dtype, shape, stride, feature or time; nothing is changed.
        """
        ids = as_ids(ids)
        several = feature if is_several(feature) else [cast(int | str, feature)]
        features = [self._feature(f) for f in several]
        offsets = as_feature_offsets(feature_offsets, len(ids), len(features))
        out = as_output(out, len(ids), self.config.dim)
        policy, vector = missing_policy(missing, self.config.dim, training=True)
        rows = np.empty(len(ids), np.uint32)
        lost, reasons, moves = self._native.train_lookup(
            ids, features, offsets, self._time(time), rows, out, policy, vector
        )
        return Lookup(out, Rows(ids, rows, moves, self._native), Evicted(lost, reasons))

    def train_lookup_pooled(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        *,
        mode: Mode = "sum",
        weights: ArrayLike | None = None,
        features: Sequence[int | str] = (0,),
        time: int | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> Lookup:
        """Does what `train_lookup` does, for the bags of one or more features at once.

        Args:
            ids, offsets, mode, weights, out: as for `lookup_pooled`.
            features: the F features, index or name, in the order of the bags.
            time, missing: as for `train_lookup`.

        Raises:
            InputError: as for both; nothing is changed.
        """
        ids = as_ids(ids)
        numbers = [self._feature(f) for f in features]
        offsets = as_offsets(offsets, len(ids), len(numbers))
        factors = as_weights(weights, len(ids))
        out = self._pooled_output(out, offsets, len(features))
        policy, vector = missing_policy(missing, self.config.dim, training=True)
        rows = np.empty(len(ids), np.uint32)
        lost, reasons, moves = self._native.train_lookup_pooled(
            ids,
            offsets,
            numbers,
            self._time(time),
            rows,
            out,
            factors,
            is_mean(mode),
            policy,
            vector,
        )
        return Lookup(out, Rows(ids, rows, moves, self._native), Evicted(lost, reasons))

    def apply_gradients(
        self, rows: Rows | ArrayLike, grads: ArrayLike, *, lr: float | Sequence[float]
    ) -> None:
        """Takes one optimizer step for each distinct id, with its gradients summed in order.

        Ids without a row are passed over and counted (`stats().dropped_gradients`).

        Args:
            rows: the handle of a training lookup, or N ids.
            grads: float32, shape (N, D), rows contiguous.
            lr: the learning rate, or one a segment.

        Raises:
            InputError: for a wrong dtype, shape, stride or rate, or a gradient that is NaN or
                infinite; nothing is changed.
        """
        ids, found, moves = self._handle(rows)
        grads = as_matrix(grads, len(ids), self.config.dim, "grads")
        rates = as_rates(lr, self._optimizers)
        if not self._native.apply_gradients(ids, found, moves, grads, rates):
            raise not_finite(grads)

    def apply_pooled_gradients(
        self,
        rows: Rows | ArrayLike,
        offsets: ArrayLike,
        grads: ArrayLike,
        *,
        lr: float | Sequence[float],
        mode: Mode = "sum",
        weights: ArrayLike | None = None,
        num_features: int = 1,
    ) -> None:
        """Does what `apply_gradients` does, from the gradients of bags, shape (B, F * D).

        Args:
            rows, lr: as for `apply_gradients`.
            offsets, mode, weights, num_features: as for `lookup_pooled`.

        Raises:
            InputError: as for both; nothing is changed.
        """
        ids, found, moves = self._handle(rows)
        offsets = as_offsets(offsets, len(ids), num_features)
        factors = as_weights(weights, len(ids))
        batch = (len(offsets) - 1) // num_features
        grads = as_matrix(grads, batch, num_features * self.config.dim, "grads")
        rates = as_rates(lr, self._optimizers)
        applied = self._native.apply_pooled_gradients(
            ids, found, moves, offsets, grads, factors, is_mean(mode), rates
        )
        if not applied:
            raise not_finite(grads)

    def assign(self, ids: ArrayLike, values: ArrayLike, *, time: int | None = None) -> None:
        """Sets the weights of N ids, giving a row to those that lack one; the last duplicate wins.

        Admission is bypassed. Optimizer state is kept, or begins at its initial value.

        Args:
            ids: int64, shape (N,).
            values: float32, shape (N, D).
            time: as for `train_lookup`; the table's clock if None.

        Raises:
            InputError: for a wrong dtype, shape or stride, or a value that is NaN or infinite.
        """
        ids = as_ids(ids)
        values = as_matrix(values, len(ids), self.config.dim, "values")
        if not np.isfinite(values).all():
            raise InputError("values must be finite, got NaN or infinity")
        known = time is None and self.config.clock == "event"
        self._native.assign(ids, values, self._native.clock() if known else self._time(time))

    def evict(self, ids: ArrayLike) -> Evicted:
        """Takes the rows of these ids away, and what admission had counted of them.

        Returns:
            The ids that had a row.
        """
        return _evicted(self._native.evict(as_ids(ids)))

    def expire(self, now: int | None = None, *, max_rows: int | None = None) -> Evicted:
        """Takes away the rows whose age is at least their feature's time to live.

        Args:
            now: seconds since the epoch; the table's clock if None.
            max_rows: examine at most so many rows, from where the last call stopped; all if None.

        Returns:
            The ids that lost their rows.
        """
        if now is None:
            now = self._native.clock() if self.config.clock == "event" else self._time(None)
        limit = ALL_ROWS if max_rows is None else max_rows
        return _evicted(self._native.expire(checked_time(now), not_negative("max_rows", limit)))

    def enforce_budget(self) -> Evicted:
        """Evicts, if the table is over its budget, as a training call would at its start."""
        return _evicted(self._native.enforce_budget())

    def compact(self, max_moves: int | None = None) -> int:
        """Moves rows into holes, gives freed chunks back to the system; returns the moves made."""
        limit = ALL_ROWS if max_moves is None else max_moves
        return int(self._native.compact(not_negative("max_moves", limit)))

    def contains(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Says of each id whether it has a row, shape (N,)."""
        ids = as_ids(ids)
        out = np.empty(len(ids), np.bool_)
        self._native.contains(ids, out)
        return out

    def __contains__(self, id: int) -> bool:
        return bool(self.contains(np.array([id], np.int64))[0])

    def __len__(self) -> int:
        return int(self._native.size())

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"table {self.config.name!r} cannot be pickled or copied;"
            " recsys_embed.snapshot.write_snapshot saves it"
        )

    @property
    def seq(self) -> int:
        """The number of the last writing call: each one counts."""
        return int(self._native.seq())

    def rows(self, *, rows_per_block: int = 16_384) -> Iterator[RowBlock]:
        """Yields all rows a block at a time; rows that change meanwhile show either state.

        For one moment of a table in training take a `cut`.
        """
        cursor = 0
        while True:
            room = RowBlock.empty(rows_per_block, self.config.dim, self.config.state_width)
            cursor, count = self._native.read_rows(cursor, native.Columns(*room))
            if not count:
                return
            yield room.first(count)

    def ids(self, *, ids_per_block: int = 16_384) -> Iterator[NDArray[np.int64]]:
        """Yields the ids that have rows, a block at a time."""
        for block in self.rows(rows_per_block=ids_per_block):
            yield block.ids

    def initial_values(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Gives the weights with which training would begin these ids, shape (N, D)."""
        ids = as_ids(ids)
        out = np.empty((len(ids), self.config.dim), np.float32)
        self._native.initial_values(ids, out)
        return out

    def stats(self) -> TableStats:
        """Counts what the table holds and has done."""
        n = self._native
        counters = dict(zip(COUNTERS, n.counters(), strict=True))
        return TableStats(
            rows=n.size(),
            bytes=n.bytes(),
            index_bytes=n.index_bytes(),
            load=n.load(),
            **counters,
            lookups=n.lookups(),
            hits=n.hits(),
        )

    def cut(self) -> Cut:
        """Takes one moment of the table, to be read while training goes on; several may be open."""
        return Cut(self._native, self.config)

    def track_changes(self, on: bool = True) -> None:
        """Keeps tombstones of the rows that go from now on, so that `changes` can tell of them.

        They take 16 bytes each until `forget_changes`. A restored table tracks nothing at first.
        """
        self._native.track_changes(on)

    def forget_changes(self, seq: int) -> None:
        """Drops the tombstones up to `seq`; `changes(since)` needs a later or equal cursor then.

        Call it with the least cursor of all who follow the table.
        """
        self._native.forget_changes(not_negative("seq", seq))

    def changes(self, since: int, *, admission: bool = False) -> Changes:
        """Takes what changed after the writing call `since` (see `seq`), to be read as a cut is.

        Whoever follows a table starts from a cut and its `seq`, and from then on asks for the
        changes since the `seq` of the last ones. Any number may follow, each with its own cursor.

        Args:
            since: a `seq` of this table, not before `track_changes` or `forget_changes`.
            admission: whether the changes hold the admission state as well.

        Raises:
            InputError: if the changes after `since` are not known, or it is not of this table.
        """
        cursor = not_negative("since", since)
        return Changes(self._native, self.config, cursor, admission=admission)

    def apply_changes(
        self,
        rows: RowBlock,
        lost: Evicted,
        *,
        seq: int,
        clock_s: int,
        counters: Mapping[str, int],
        admission: Mapping[str, NDArray[Any]],
    ) -> None:
        """Makes the changes of another table of this kind, as `Changes` gave them, in one call.

        Whole rows are replaced or added, those of `lost` go, and the table stands where the other
        one did. Of a row that comes twice the last one stays.

        Raises:
            InputError: if they do not fit the table, or it has come further; nothing is changed.
        """
        apply_changes(
            self._native,
            self.config,
            rows,
            lost,
            seq=seq,
            clock_s=clock_s,
            counters=counters,
            admission=admission,
        )

    def restore_rows(self, block: RowBlock) -> None:
        """Puts rows back exactly as they were.

        Raises:
            InputError: if the columns do not fit the table, an id has a row already, or the table's
                changes are tracked; nothing is changed.
        """
        restore_rows(self._native, self.config, block)

    def restore_meta(
        self,
        *,
        seq: int,
        clock_s: int,
        counters: Mapping[str, int],
        admission: Mapping[str, NDArray[Any]],
    ) -> None:
        """Puts back what a cut knows beside its rows: sequence, clock, counters, admission state.

        Raises:
            InputError: if the admission state is not of the table's kind of admission, or its
                changes are tracked.
        """
        restore_meta(
            self._native,
            self.config.admission.kind,
            seq=seq,
            clock_s=clock_s,
            counters=counters,
            admission=admission,
        )

    def _refuse_row_map(self, config: TableConfig) -> None:
        if not isinstance(config.row_map, Collisionless):
            raise ConfigError(
                f"table {config.name!r} has a {config.row_map.kind} row map, behind which ids share"
                " rows; make it with recsys_embed.make_table"
            )

    def _handle(
        self, rows: Rows | ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32] | None, int]:
        if isinstance(rows, Rows):
            if rows.owner is not self._native:
                raise InputError(f"the rows handle is another table's, not {self.config.name!r}'s")
            return rows.ids, rows.rows, rows.moves
        return as_ids(rows), None, 0

    def _pooled_output(
        self, out: Any, offsets: NDArray[np.int64], num_features: int
    ) -> NDArray[np.float32]:
        batch = (len(offsets) - 1) // num_features
        return as_output(out, batch, num_features * self.config.dim)

    def _feature(self, feature: int | str) -> int:
        return feature_number(self.config, self._features, feature)

    def _time(self, time: int | None) -> int:
        if self.config.clock == "wall":
            if time is not None:
                raise InputError(
                    f"table {self.config.name!r} runs on the wall clock; leave time out"
                )
            return int(system_time.time())
        if time is None:
            if self._expires:
                raise InputError(
                    f"table {self.config.name!r} has features that expire by event time;"
                    " pass time=seconds"
                )
            return int(self._native.clock())
        return checked_time(time)

    def _call(self, call: Any, ids: NDArray[np.int64], *rest: Any) -> None:
        try:
            call(ids, *rest)
        except native.MissingIds as error:
            some, total = error.args
            raise MissingIdError(
                f"table {self.config.name!r} has no row for {total} of {len(ids)} ids:"
                f" {', '.join(map(str, some))}{', ...' if total > len(some) else ''}"
            ) from None


def _evicted(answer: tuple[NDArray[np.int64], NDArray[np.uint8], int]) -> Evicted:
    ids, reasons, _ = answer
    return Evicted(ids, reasons)
