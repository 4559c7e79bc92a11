"""A table behind a row map: ids in, vectors of ids out, rows shared beneath."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import (
    as_feature_offsets,
    as_ids,
    as_matrix,
    as_offsets,
    as_output,
    as_vector,
    as_weights,
)
from recsys_embed.errors import InputError, MissingIdError
from recsys_embed.mapped_rows import (
    MappedRows,
    Parts,
    filled,
    flat_rows,
    pooled_vectors,
    refuse_other_spans,
    rowwise,
    spans_of,
    weights_of,
)
from recsys_embed.row_maps import Collisionless
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.row_maps.expansion import RowBags, lone_bags, row_bags
from recsys_embed.row_maps.pooling import unpool
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_arguments import Missing, Mode, is_mean, is_several, missing_policy
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import Evicted, Lookup

NAMED_IDS = 8
IDS_PER_BLOCK = 2048  # their rows stay in the L2 cache while they become vectors
Features = Sequence[int | str]
Floats = NDArray[np.float32]


class MappedTable(CollisionlessTable):
    """Holds rows that ids share as the config's row map says; the rows never collide.

    Behaves as `CollisionlessTable` does, with vectors of `config.vector_dim(feature)` columns: an
    id reads its rows put together, and a gradient goes to each of them. `len`, `rows`, `ids`,
    `stats`, admission, expiry and budget are the rows'. `assign` and `evict` need a map that gives
    each id one row.

    Overlap: as for `CollisionlessTable`.

    Example:
        >>> from recsys_embed.row_maps import Bloom
        >>> table = MappedTable(TableConfig.of("item", dim=2, row_map=Bloom(rows=10)))
        >>> answer = table.train_lookup(np.arange(1000))
        >>> table.apply_gradients(answer.rows, np.ones((1000, 2), np.float32), lr=0.1)
        >>> answer.values.shape, len(table)
        ((1000, 2), 10)
    """

    def lookup(
        self,
        ids: ArrayLike,
        *,
        missing: Missing = "initial",
        out: Any = None,
        feature: int | str = 0,
    ) -> Floats:
        """Reads the vectors of N ids of a feature, shape (N, D); never changes the table.

        Args:
            ids: int64, shape (N,).
            missing: what a row that is not there reads: its "initial" value or "zeros"; or what an
                id reads that lacks one of its rows: a vector (D,), or "error".
            out: where to write; made if None.
            feature: index or name, for maps that tell features apart.

        Raises:
            InputError, MissingIdError: as for `CollisionlessTable.lookup`.
        """
        ids = as_ids(ids)
        parts = self._parts(ids, [feature], [0, len(ids)])
        if parts[0].is_summed and isinstance(missing, str) and missing != "error":
            if parts[0].is_single:
                return super().lookup(parts[0].flat, missing=missing, out=out)
            bags = row_bags(parts, lone_bags(parts), None, "sum")._asdict()
            return super().lookup_pooled(flat_rows(parts), missing=missing, out=out, **bags)
        return filled(out, self._read(parts[0], missing))

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
        features: Features | None = None,
    ) -> Floats:
        """Pools each bag's vectors, side by side over the features; never changes the table.

        Args:
            ids, offsets, mode, weights, out: as for `CollisionlessTable.lookup_pooled`.
            missing: as for `lookup`; a vector if the features have one width.
            features: index or name of each; the table's first `num_features` if None.
        """
        names = list(range(num_features) if features is None else features)
        parts, offsets, factors = self._bags(ids, offsets, weights, names, mode)
        if parts[0].is_summed and isinstance(missing, str) and missing != "error":
            bags = row_bags(parts, offsets, factors, mode)._asdict()
            return super().lookup_pooled(flat_rows(parts), missing=missing, out=out, **bags)
        vectors = [self._read(part, missing) for part in parts]
        return filled(out, pooled_vectors(vectors, offsets, factors, mode))

    def train_lookup(
        self,
        ids: ArrayLike,
        *,
        feature: int | str | Features = 0,
        feature_offsets: ArrayLike | None = None,
        time: int | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> Lookup:
        """Counts N occurrences of each row in order, admits, refreshes and reads, shape (N, D).

        Args:
            ids, feature, feature_offsets, time: as for `CollisionlessTable.train_lookup`; the
                features need one width.
            missing: what a row that is not there reads: its "initial" value or "zeros".
            out: where to write; made if None.
        """
        ids = as_ids(ids)
        names = list(feature if is_several(feature) else [cast(int | str, feature)])
        parts = self._parts(ids, names, as_feature_offsets(feature_offsets, len(ids), len(names)))
        values = as_output(out, len(ids), self._one_width(names))
        if parts[0].is_summed and len(parts) == 1:
            bags = row_bags(parts, lone_bags(parts), None, "sum")
            return self._train_bags(parts, bags, names, time, missing, values)
        vectors, rows, evicted = self._train(parts, names, time, missing)
        return Lookup(np.concatenate(vectors, out=values), rows, evicted)

    def train_lookup_pooled(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        *,
        mode: Mode = "sum",
        weights: ArrayLike | None = None,
        features: Features = (0,),
        time: int | None = None,
        missing: Missing = "initial",
        out: Any = None,
    ) -> Lookup:
        """Does what `train_lookup` does, for the bags of one or more features at once."""
        parts, offsets, factors = self._bags(ids, offsets, weights, features, mode)
        if not parts[0].is_summed:
            num_bags = (len(offsets) - 1) // len(parts)
            values = as_output(out, num_bags, len(parts) * self.config.dim)
            vectors, rows, evicted = self._train(parts, features, time, missing)
            values[:] = pooled_vectors(vectors, offsets, factors, mode)
            return Lookup(values, rows, evicted)
        bags = row_bags(parts, offsets, factors, mode)
        return self._train_bags(parts, bags, features, time, missing, out)

    def apply_gradients(self, rows: Any, grads: ArrayLike, *, lr: float | Sequence[float]) -> None:
        """Takes one optimizer step for each distinct row, with its gradients summed in order.

        Args:
            rows: the handle of a training lookup; or N ids of the table's first feature, where an
                id's gradient does not depend on what its rows hold.
            grads: float32, shape (N, D).
            lr: as for `CollisionlessTable.apply_gradients`.
        """
        found = self._found(rows)
        width = found.parts[0].chunks * self.config.dim
        grads = as_matrix(grads, sum(len(p.ids) for p in found.parts), width, "grads")
        if found.parts[0].is_summed and len(found.parts) == 1:
            bags = row_bags(found.parts, lone_bags(found.parts), None, "sum")
            return super().apply_pooled_gradients(found.rows, grads=grads, lr=lr, **bags._asdict())
        ends = np.cumsum([len(part.ids) for part in found.parts])[:-1]
        return self._step(found, np.split(grads, ends), lr)

    def apply_pooled_gradients(
        self,
        rows: Any,
        offsets: ArrayLike,
        grads: ArrayLike,
        *,
        lr: float | Sequence[float],
        mode: Mode = "sum",
        weights: ArrayLike | None = None,
        num_features: int = 1,
    ) -> None:
        """Does what `apply_gradients` does, from the gradients of bags."""
        found = self._found(rows)
        num_ids = sum(len(part.ids) for part in found.parts)
        offsets, factors = as_offsets(offsets, num_ids, num_features), as_weights(weights, num_ids)
        is_mean(mode)
        refuse_other_spans(found.parts, offsets, num_features)
        if found.parts[0].is_summed:
            bags = row_bags(found.parts, offsets, factors, mode)
            return super().apply_pooled_gradients(found.rows, grads=grads, lr=lr, **bags._asdict())
        num_bags, width = (len(offsets) - 1) // num_features, self.config.dim
        pooled = as_matrix(grads, num_bags, num_features * width, "grads")
        each = zip(
            np.split(pooled, num_features, axis=1), spans_of(offsets, num_features), strict=True
        )
        own = [unpool(g, at - at[0], weights_of(factors, at), mode) for g, at in each]
        return self._step(found, own, lr)

    def assign(self, ids: ArrayLike, values: ArrayLike, *, time: int | None = None) -> None:
        """Sets the rows of N ids, where each has one row; ids that share it get the last value.

        Raises:
            InputError: if ids are made of several rows, and as `CollisionlessTable.assign` does.
        """
        super().assign(self._single(ids, "assigned"), values, time=time)

    def evict(self, ids: ArrayLike) -> Evicted:
        """Takes the rows of these ids away, from all ids that share them; gives row ids.

        Raises:
            InputError: if ids are made of several rows.
        """
        return super().evict(self._single(ids, "evicted"))

    def contains(self, ids: ArrayLike, *, feature: int | str = 0) -> NDArray[np.bool_]:
        """Says of each id whether all its rows are there, shape (N,)."""
        ids = as_ids(ids)
        (part,) = self._parts(ids, [feature], [0, len(ids)])
        return part.found_ids(super().contains(part.flat))

    def initial_values(self, ids: ArrayLike, *, feature: int | str = 0) -> Floats:
        """Gives the vectors with which training would begin these ids, shape (N, D)."""
        ids = as_ids(ids)
        (part,) = self._parts(ids, [feature], [0, len(ids)])
        return part.combine(super().initial_values(part.flat))

    def _refuse_row_map(self, config: TableConfig) -> None:
        """Takes every row map."""

    def _parts(self, ids: NDArray[np.int64], features: Features, bounds: ArrayLike) -> Parts:
        names = [self.config.features[self._feature(f)].name for f in features]
        spans = pairwise(np.asarray(bounds).tolist())
        row_map = self.config.row_map
        return tuple(
            Mapped.of(row_map, ids[a:b], n) for n, (a, b) in zip(names, spans, strict=True)
        )

    def _one_width(self, features: Features) -> int:
        names = [self.config.features[self._feature(f)].name for f in features]
        widths = {name: self.config.vector_dim(name) for name in names}
        if len(set(widths.values())) > 1:
            raise InputError(
                f"features of one training lookup need vectors of one width, got {widths};"
                " pool them, or look them up one by one"
            )
        return widths[names[0]]

    def _bags(
        self,
        ids: ArrayLike,
        offsets: ArrayLike,
        weights: ArrayLike | None,
        features: Features,
        mode: Mode,
    ) -> tuple[Parts, NDArray[np.int64], Floats | None]:
        is_mean(mode)
        ids = as_ids(ids)
        offsets = as_offsets(offsets, len(ids), len(features))
        bounds = [0, *(int(at[-1]) for at in spans_of(offsets, len(features)))]
        return self._parts(ids, features, bounds), offsets, as_weights(weights, len(ids))

    def _read(self, part: Mapped, missing: Missing) -> Floats:
        if isinstance(missing, str) and missing != "error":
            missing_policy(missing, self.config.dim)  # also where there is no id to read
            vectors = np.empty((len(part.ids), self.config.dim), np.float32)
            for place, block in part.blocks(IDS_PER_BLOCK):
                vectors[place] = block.combine(super().lookup(block.flat, missing=missing))
            return vectors
        vectors = part.combine(super().lookup(part.flat, missing="zeros"))
        lacking = ~part.found_ids(super().contains(part.flat))
        if not isinstance(missing, str):
            vectors[lacking] = as_vector(missing, vectors.shape[1])
        elif lacking.any():
            some = ", ".join(map(str, part.ids[lacking][:NAMED_IDS]))
            raise MissingIdError(
                f"table {self.config.name!r} lacks a row of {int(lacking.sum())} of"
                f" {len(part.ids)} ids: {some}"
            )
        return vectors

    def _train_bags(
        self,
        parts: Parts,
        bags: RowBags,
        features: Features,
        time: int | None,
        missing: Missing,
        out: Any,
    ) -> Lookup:
        """Lets the core sum rows into vectors."""
        answer = super().train_lookup_pooled(
            flat_rows(parts),
            bags.offsets,
            mode=bags.mode,
            weights=bags.weights,
            features=[
                f for f, part in zip(features, parts, strict=True) for _ in range(part.chunks)
            ],
            time=time,
            missing=rowwise(missing),
            out=out,
        )
        return answer._replace(rows=MappedRows(answer.rows, parts, None))

    def _train(
        self, parts: Parts, features: Features, time: int | None, missing: Missing
    ) -> tuple[list[Floats], MappedRows, Evicted]:
        bounds = np.cumsum([0, *(len(part.flat) for part in parts)])
        answer = super().train_lookup(
            flat_rows(parts),
            feature=list(features),
            feature_offsets=bounds,
            time=time,
            missing=rowwise(missing),
        )
        held = [answer.values[a:b] for a, b in pairwise(bounds.tolist())]
        vectors = [part.combine(own) for part, own in zip(parts, held, strict=True)]
        kept = None if parts[0].is_summed else answer.values
        return vectors, MappedRows(answer.rows, parts, kept), answer.evicted

    def _found(self, rows: Any) -> MappedRows:
        if isinstance(rows, MappedRows):
            return rows
        ids = as_ids(rows)
        parts = self._parts(ids, [0], [0, len(ids)])
        if not parts[0].is_summed:
            raise InputError(
                f"the gradient of a {self.config.row_map.kind} row map depends on what the rows"
                " held; give the handle of the training lookup instead of ids"
            )
        return MappedRows(flat_rows(parts), parts, None)

    def _step(
        self, found: MappedRows, grads: Sequence[Floats], lr: float | Sequence[float]
    ) -> None:
        bounds = np.cumsum([0, *(len(part.flat) for part in found.parts)]).tolist()
        held = found.vectors
        if held is None:
            held = np.broadcast_to(np.float32(0), (bounds[-1], self.config.dim))
        spans = pairwise(bounds)
        own = [
            part.spread(held[a:b], g)
            for part, g, (a, b) in zip(found.parts, grads, spans, strict=True)
        ]
        super().apply_gradients(found.rows, np.ascontiguousarray(np.concatenate(own)), lr=lr)

    def _single(self, ids: ArrayLike, done: str) -> NDArray[np.int64]:
        ids = as_ids(ids)
        (part,) = self._parts(ids, [0], [0, len(ids)])
        if not part.is_single:
            raise InputError(
                f"ids of table {self.config.name!r} are made of several rows by its"
                f" {self.config.row_map.kind} row map, so they cannot be {done} one by one"
            )
        return part.flat


def make_table(config: TableConfig) -> CollisionlessTable:
    """Makes the table of a config: `MappedTable` where ids share rows, else `CollisionlessTable`.

    Example:
        >>> from recsys_embed.row_maps import Hashed
        >>> type(make_table(TableConfig.of("item", 4, row_map=Hashed(rows=10)))).__name__
        'MappedTable'
    """
    if isinstance(config.row_map, Collisionless):
        return CollisionlessTable(config)
    return MappedTable(config)
