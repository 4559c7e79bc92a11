"""A shard of all tables that is lost, and comes back as a snapshot knew it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable
from recsys_embed.row_maps.hashed import bucket
from recsys_embed.table_types import RowBlock

Tables = Mapping[str, CollisionlessTable]
Saved = Mapping[str, RowBlock]


class Failure(NamedTuple):
    """One shard that is lost, and when.

    Args:
        shard: its number.
        at: position of the first event that comes after the loss.
        saved: position of the first event that its snapshot does not know; None: there is none.
    """

    shard: int
    at: int
    saved: int | None


@dataclass(frozen=True)
class Shards:
    """Deals the ids of all tables out to `number` shards, by hash.

    Example:
        >>> shards = Shards(3)
        >>> sum(shards.hold(shard, np.arange(6)) for shard in range(3)).tolist()
        [1, 1, 1, 1, 1, 1]
    """

    number: int
    seed: int = 0

    def hold(self, shard: int, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Says which ids lie in a shard, (N,)."""
        return np.equal(bucket(ids, self.seed, self.number), shard)

    def rows(self, shard: int, table: CollisionlessTable) -> RowBlock:
        """Takes whole rows of a shard out of a table, as a snapshot does."""
        chosen = [RowBlock.empty(0, table.config.dim, table.config.state_width)]
        for block in table.rows():
            mask = self.hold(shard, block.ids)
            chosen.append(RowBlock._make(column[mask] for column in block))
        return RowBlock._make(np.concatenate(columns) for columns in zip(*chosen, strict=True))

    def save(self, shard: int, tables: Tables) -> dict[str, RowBlock]:
        """Takes a shard's rows out of every table."""
        return {name: self.rows(shard, table) for name, table in tables.items()}

    def lose(self, shard: int, tables: Tables, saved: Saved | None) -> None:
        """Takes a shard's rows away, and puts back those that were saved, bit for bit.

        Ids that came later, and all of the shard if None was saved, begin anew.
        """
        for name, table in tables.items():
            table.evict(self.rows(shard, table).ids)
            if saved is not None and len(saved[name].ids):
                table.restore_rows(saved[name])

    def failures(
        self, times: NDArray[np.int64], first: int, number: int, age: int | None
    ) -> list[Failure]:
        """Spreads failures over the events from `first` on, one shard after another.

        As many events lie between two, so that more failures fall into busy hours; events of one
        second stay together. A snapshot of age a knows the events up to a seconds before.

        Args:
            times: of all events, ascending seconds.
            first: position of the first event of the online part.
            number: of failures.
            age: of the snapshots in seconds; None: there are none.

        Example:
            >>> times = np.arange(0, 100, 10)
            >>> [(f.shard, f.at, f.saved) for f in Shards(10).failures(times, 4, 2, age=25)]
            [(0, 6, 4), (1, 8, 6)]
        """
        steps = np.linspace(first, len(times), number + 2)[1:-1].astype(int)
        plan = []
        for k, now in enumerate(times[steps].tolist()):
            at = int(np.searchsorted(times, now))
            saved = None if age is None else int(np.searchsorted(times, now - age))
            plan.append(Failure(k % self.number, at, saved))
        return plan
