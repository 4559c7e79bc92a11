"""An index as it was at one moment, whatever is written to it since."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import as_ids
from recsys_embed.index import planner
from recsys_embed.index.arguments import as_excluded, as_k, as_vectors
from recsys_embed.index.config import MAX_K, Parameters
from recsys_embed.index.found import Capabilities, Found, Stats
from recsys_embed.index.items import Floats, Ids, Slots
from recsys_embed.index.moment import Moment, Where
from recsys_embed.index.state import State

TUNED = Parameters()
EXACT = Parameters(exact=True)


class View:
    """One moment of an index: all that it answers is as of then.

    Any number of threads may read a view, beside any writes to the index that it was taken of. A
    view keeps the vectors of its moment in memory.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._moment = Moment(state)
        self._dim: int = state.arrays.vectors.shape[1]

    def __len__(self) -> int:
        return self._state.alive

    @property
    def state(self) -> State:
        """What the view reads."""
        return self._state

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return self._dim

    @property
    def write_number(self) -> int:
        """Number of the last write that the view sees."""
        return self._state.write

    def search(
        self,
        queries: ArrayLike,
        k: int,
        *,
        where: Where | None = None,
        exclude: Sequence[ArrayLike] | None = None,
        parameters: Parameters | None = None,
    ) -> Found:
        """See `Index.search`."""
        asked = as_vectors(queries, self._dim, self._state.config.metric, "queries")
        kept_out = None if exclude is None else as_excluded(exclude, len(asked))
        planned = planner.search(self._moment, asked, as_k(k), where, kept_out, parameters or TUNED)
        return self._found(planned)

    def exact(
        self,
        queries: ArrayLike,
        k: int,
        *,
        where: Where | None = None,
        exclude: Sequence[ArrayLike] | None = None,
    ) -> Found:
        """Searches by scoring every item that may be found."""
        return self.search(queries, k, where=where, exclude=exclude, parameters=EXACT)

    def slots_of(self, ids: Ids) -> Slots:
        """Gives the slot of each id, (n,); -1 for an id that is not there."""
        state = self._state
        slots = state.items.newest_below(ids, state.size)
        there = slots >= 0
        there[there] = state.arrays.died[slots[there]] > state.write
        return np.where(there, slots, -1)

    def vectors_of(self, ids: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
        """Gives the vectors of ids, (n, D), and which of them are there, (n,); others are zeros."""
        slots = self.slots_of(as_ids(ids))
        there = slots >= 0
        values = np.zeros((len(slots), self._dim), np.float32)
        values[there] = self._state.arrays.vectors[slots[there]]
        return values, there

    def attributes_of(self, ids: ArrayLike) -> list[dict[str, Any] | None]:
        """Gives the attributes of each id, absent ones left out; None for an id not there."""
        slots = self.slots_of(as_ids(ids))
        rows = iter(self._state.items.columns.take(slots[slots >= 0]))
        return [next(rows) if slot >= 0 else None for slot in slots.tolist()]

    def ids(self) -> Ids:
        """Gives the ids of all items, (items,), in the order of their last writes."""
        return self._state.arrays.ids[: self._state.size][self._moment.alive.mask]

    def stats(self) -> Stats:
        """Tells how the index stands."""
        state, tuning = self._state, self._state.tuning
        return Stats(
            items=state.alive,
            dead=state.size - state.alive,
            fresh=int(np.count_nonzero(state.arrays.died[state.folded : state.size] > state.write)),
            kind=state.engine.kind,
            codec=state.config.codec,
            parameters=state.engine.parameters,
            tuned_recall=tuning.recall,
            tuned_on=tuning.on,
            imbalance=state.engine.imbalance,
            folds=state.folds,
            rebuilds=state.rebuilds,
            num_bytes=state.items.num_bytes + state.engine.num_bytes,
            write_number=state.write,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Tells what the index can do."""
        kind, config = self._state.engine.kind, self._state.config
        names = {"exact": (), "ivf": ("nprobe", "rerank"), "hnsw": ("ef", "rerank")}[kind]
        return Capabilities(self._dim, config.metric, MAX_K, names, kind != "hnsw")

    def _found(self, planned: planner.Planned) -> Found:
        state, (slots, scores) = self._state, planned.hits
        ids = state.arrays.ids.take(slots) if state.size else np.zeros_like(slots)
        counts = np.full(len(slots), slots.shape[1])
        if slots.size and slots[:, -1].min() < 0:
            counts = np.count_nonzero(slots >= 0, axis=1)
            ids[slots < 0] = 0
        return Found(
            ids, scores, counts, planned.exact, state.alive, planned.filtered, planned.plan
        )
