"""Several tables called one after the other, behind the calls of a group: for tables that map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import as_matrix, as_offsets, as_output, as_rates
from recsys_embed.errors import InputError
from recsys_embed.mapped_rows import rowwise
from recsys_embed.mapped_table import MappedTable
from recsys_embed.row_maps import Collisionless
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_arguments import Missing, missing_policy
from recsys_embed.table_group import (
    GroupBags,
    Member,
    Rate,
    TableGroup,
    checked_bags,
    refuse_members,
)
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
        refuse_members(self.members)
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
        parts = self._parts(ids, offsets, starts, num_bags, weights)
        values = as_output(out, num_bags, sum(self._widths))
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
        parts = self._parts(ids, offsets, starts, num_bags, weights)
        values = as_output(out, num_bags, sum(self._widths))
        for member in self.members:
            member.table._time(time)
            refuse_missing(member.table, missing)
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
        rates = self._rates(lr)
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
        bags = checked_bags(len(self.members), ids, offsets, starts, num_bags, weights)
        parts, begin = [], 0
        for features, width, start in zip(
            self._features, self._widths, bags.starts.tolist(), strict=True
        ):
            own = own_offsets(bags, start, len(features))
            span = slice(own[0], own[-1])
            part = None if bags.weights is None else bags.weights[span]
            parts.append(
                MemberBags(bags.ids[span], own - own[0], part, slice(begin, begin + width))
            )
            begin += width
        return tuple(parts)

    def _rates(self, lr: Rate | Sequence[Rate]) -> Sequence[Rate]:
        rates = lr if isinstance(lr, Sequence) else [lr] * len(self.members)
        if len(rates) != len(self.members):
            raise InputError(
                f"lr must be one rate or {len(self.members)}, one a table; got {len(rates)}"
            )
        for member, rate in zip(self.members, rates, strict=True):
            as_rates(rate, [segment.optimizer for segment in member.table.config.segments])
        return rates


def own_offsets(bags: GroupBags, start: int, num_features: int) -> NDArray[np.int64]:
    """Gives the offsets of one table's bags, checked against the ids.

    Raises:
        InputError: for a table whose bags lie outside the offsets, or their ids outside the ids.
    """
    end = start + num_features * bags.num_bags + 1
    if start < 0 or end > len(bags.offsets):
        raise InputError(
            f"bags [{start}, {end - 1}) of a table need {end} offsets, got {len(bags.offsets)}"
        )
    own = bags.offsets[start:end]
    if own[0] < 0 or own[-1] > len(bags.ids):
        raise InputError(
            f"offsets must lie in [0, {len(bags.ids)}], the number of ids;"
            f" got {own[0]} to {own[-1]}"
        )
    as_offsets(own - own[0], int(own[-1] - own[0]), num_features)
    return own


def refuse_missing(table: CollisionlessTable, missing: Missing) -> None:
    """Refuses a policy with which a training lookup of the table would refuse to begin.

    Raises:
        InputError: naming what came.
    """
    if isinstance(table, MappedTable):
        rowwise(missing)
    missing_policy(missing, table.config.dim, training=True)


def make_group(members: Sequence[Member]) -> TableGroup | TablesInTurn:
    """Makes the quickest that serves these tables: one native call, or a call for each."""
    if all(isinstance(m.table.config.row_map, Collisionless) for m in members):
        return TableGroup(members)
    return TablesInTurn(members)
