"""Several tables called one after the other, behind the calls of a group: for tables that map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import as_ids, as_matrix, as_output, as_weights
from recsys_embed.errors import InputError
from recsys_embed.mapped_table import MappedTable
from recsys_embed.row_maps import Collisionless
from recsys_embed.table_arguments import Missing
from recsys_embed.table_group import Member, Rate, TableGroup
from recsys_embed.table_types import Evicted

Floats = NDArray[np.float32]


class MemberBags(NamedTuple):
    """One table's share of a call: its bags, and its columns of the values and gradients."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    weights: Floats | None
    columns: slice


class TurnRows(NamedTuple):
    """Where a training lookup found its ids, table by table; only its maker can read it."""

    bags: tuple[MemberBags, ...]
    rows: tuple[Any, ...]
    owner: object


class TurnLookup(NamedTuple):
    """The answer of a training lookup: values, handle for the gradients, rows lost by table."""

    values: Floats
    rows: TurnRows
    evicted: dict[str, Evicted]


class TablesInTurn:
    """Does what `TableGroup` does, for tables of any row map, a call a table.

    The columns of a table are the vectors of its features, each `config.vector_dim(feature)` wide.

    Args:
        members: the tables, each once.

    Example:
        >>> from recsys_embed import TableConfig, make_table
        >>> from recsys_embed.row_maps import MultiChunk
        >>> table = make_table(TableConfig.of("item", 2, row_map=MultiChunk(rows=9, lookups=3)))
        >>> both = TablesInTurn([Member(table)])
        >>> both.lookup_pooled(np.array([7, 8]), np.array([0, 2]), [0], num_bags=1).shape
        (1, 6)
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self._features = [[m.table._feature(f) for f in m.features] for m in self.members]
        self._widths = [
            sum(m.table.config.vector_dim(m.table.config.features[f].name) for f in features)
            for m, features in zip(self.members, self._features, strict=True)
        ]

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
    ) -> Floats:
        """Pools every table's bags; never changes a table. Arguments as for `TableGroup`."""
        values = as_output(out, num_bags, sum(self._widths))
        parts = self._parts(ids, offsets, starts, num_bags, weights)
        for member, features, part in zip(self.members, self._features, parts, strict=True):
            member.table.lookup_pooled(
                part.ids,
                part.offsets,
                mode=member.mode,
                weights=part.weights,
                num_features=len(features),
                missing=missing,
                out=values[:, part.columns],
                **({"features": features} if isinstance(member.table, MappedTable) else {}),
            )
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
    ) -> TurnLookup:
        """Counts, admits, refreshes and pools in every table. Arguments as for `TableGroup`."""
        values = as_output(out, num_bags, sum(self._widths))
        parts = self._parts(ids, offsets, starts, num_bags, weights)
        answers = [
            member.table.train_lookup_pooled(
                part.ids,
                part.offsets,
                mode=member.mode,
                weights=part.weights,
                features=features,
                time=time,
                missing=missing,
                out=values[:, part.columns],
            )
            for member, features, part in zip(self.members, self._features, parts, strict=True)
        ]
        names = [m.table.config.name for m in self.members]
        lost = {n: a.evicted for n, a in zip(names, answers, strict=True) if len(a.evicted.ids)}
        return TurnLookup(values, TurnRows(parts, tuple(a.rows for a in answers), self), lost)

    def apply_pooled_gradients(
        self, rows: TurnRows, grads: ArrayLike, *, lr: Rate | Sequence[Rate]
    ) -> None:
        """Steps every table, or none if a gradient is not finite. Arguments as for `TableGroup`."""
        if rows.owner is not self:
            raise InputError("the rows handle is another group's")
        num_bags = (len(rows.bags[0].offsets) - 1) // len(self._features[0])
        grads = as_matrix(grads, num_bags, sum(self._widths), "grads")
        if not np.isfinite(grads).all():
            raise InputError("grads must be finite, got NaN or infinity; nothing was changed")
        rates = lr if isinstance(lr, Sequence) else [lr] * len(self.members)
        turns = zip(self.members, self._features, rows.bags, rows.rows, rates, strict=True)
        for member, features, part, found, rate in turns:
            member.table.apply_pooled_gradients(
                found,
                part.offsets,
                grads[:, part.columns],
                lr=rate,
                mode=member.mode,
                weights=part.weights,
                num_features=len(features),
            )

    def _parts(
        self, ids: Any, offsets: Any, starts: Any, num_bags: int, weights: Any
    ) -> tuple[MemberBags, ...]:
        ids, offsets = as_ids(ids), np.asarray(offsets)
        factors = as_weights(weights, len(ids))
        parts, begin = [], 0
        for features, width, start in zip(self._features, self._widths, starts, strict=True):
            own = offsets[start : start + len(features) * num_bags + 1]
            span = slice(own[0], own[-1])
            part = None if factors is None else factors[span]
            parts.append(MemberBags(ids[span], own - own[0], part, slice(begin, begin + width)))
            begin += width
        return tuple(parts)


def make_group(members: Sequence[Member]) -> TableGroup | TablesInTurn:
    """Makes the quickest that serves these tables: one native call, or a call for each."""
    if all(isinstance(m.table.config.row_map, Collisionless) for m in members):
        return TableGroup(members)
    return TablesInTurn(members)
