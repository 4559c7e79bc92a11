"""The index: vectors by id, searched, written and maintained at once."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.arrays import as_ids
from recsys_embed.errors import InputError
from recsys_embed.index import files
from recsys_embed.index.arguments import as_vectors, distinct
from recsys_embed.index.attributes import Columns, Schema, checked
from recsys_embed.index.building import built
from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.drift import adapted, retuned
from recsys_embed.index.folding import folded, with_folded
from recsys_embed.index.found import Capabilities, Found, Stats
from recsys_embed.index.items import Ids, Items
from recsys_embed.index.moment import Where
from recsys_embed.index.rebuilding import rebuilt, with_rebuilt
from recsys_embed.index.state import State
from recsys_embed.index.upkeep import Keeper, folding_is_due, rebuilding_is_due
from recsys_embed.index.view import View

RECENT = 256  # queries kept, of one search in EVERY, to measure recall with what is asked now
EVERY = 16
ENOUGH = 64
DUE = folding_is_due, rebuilding_is_due
Values = Mapping[str, Sequence[Any]]


class Index:
    """Answers which items are nearest to a query; every search sees all writes that ended before.

    Any number of threads may search while any number write. Writes go one after the other; a
    search never waits for one, nor for the thread that folds and rebuilds.

    Example:
        >>> ids, vectors = np.array([7, 8]), np.array([[1, 0], [0, 1]], np.float32)
        >>> index = Index.build(ids, vectors)
        >>> index.search(np.array([[0.1, 0.9]], np.float32), k=1).ids
        array([[8]])
        >>> index.delete([8])
        1
        >>> index.search(np.array([[0.1, 0.9]], np.float32), k=1).ids
        array([[7]])
    """

    def __init__(self, state: State, queries: NDArray[np.float32] | None = None) -> None:
        self._config = state.config
        self._lock, self._folding, self._rebuilding = (threading.Lock() for _ in range(3))
        self._keepers = Keeper(self, Index._fold_if_due), Keeper(self, Index._rebuild_if_due)
        self._asked = queries
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=RECENT)
        self._count = itertools.count()
        self._view = View(state)

    @classmethod
    def build(
        cls,
        ids: ArrayLike,
        vectors: ArrayLike,
        *,
        config: IndexConfig | None = None,
        schema: Schema | None = None,
        attributes: Values | None = None,
        queries: ArrayLike | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> "Index":
        """Builds an index; of ids that come twice, the last counts.

        Args:
            ids: int64 (n,); any int64 is one.
            vectors: float32 (n, D).
            config: the default one if None.
            schema: of the attributes; none if None.
            attributes: by attribute one value an item, as in `attributes.checked`.
            queries: float32 (Q, D), such as will be asked, to tune the index with; items stand
                in for them if there are none, which is worse, for queries are not like items.
            progress: is told each step.

        Raises:
            InputError: for arrays of another dtype or shape, NaN, infinity, or attributes that
                the schema does not allow.
        """
        config, schema, say = config or IndexConfig(), schema or Schema(), progress or _silent
        ids = as_ids(ids)
        given = as_vectors(vectors, None, config.metric, "vectors")
        asked = _queries(queries, given.shape[1], config)
        columns = Columns(schema)
        ids, given, values = _written(ids, given, attributes, schema)
        columns.append(values, len(ids))
        say(f"building an index of {len(ids):,} items")
        items = Items(ids, given, columns)
        engine, tuning = built(items, config, asked)
        size = items.size
        state = State(config, items, items.arrays, size, size, engine, tuning, 0, size, 0)
        return cls(state, asked)

    def view(self) -> View:
        """Gives the index as it is now: it answers the same for ever, whatever is written since."""
        return self._view

    def search(
        self,
        queries: ArrayLike,
        k: int,
        *,
        where: Where | None = None,
        exclude: Sequence[ArrayLike] | None = None,
        parameters: Parameters | None = None,
    ) -> Found:
        """Finds the k items of the largest inner product, or cosine, with each query.

        Every query gets min(k, items that it may find) items: approximation may swap the farther
        of them, but never leaves one out.

        Args:
            queries: float32 (Q, D).
            k: results a query, in [1, MAX_K]; more than there are is no error.
            where: a filter, such as `filters.parse` gives.
            exclude: ids that a query may not find, one array of int64 a query.
            parameters: in place of what was tuned.

        Raises:
            InputError: for queries of another dtype or shape, NaN or infinity; for another k.
        """
        found = self._view.search(queries, k, where=where, exclude=exclude, parameters=parameters)
        self.remember(queries)
        return found

    def remember(self, queries: ArrayLike) -> None:
        """Keeps a query now and then, to measure recall by; whoever searches a view tells them.

        Args:
            queries: float32 (Q, D), that a search has accepted.
        """
        if next(self._count) % EVERY == 0 and len(queries):  # type: ignore[arg-type]
            self._recent.append(np.array(queries[0], np.float32))  # type: ignore[index]

    def exact(
        self,
        queries: ArrayLike,
        k: int,
        *,
        where: Where | None = None,
        exclude: Sequence[ArrayLike] | None = None,
    ) -> Found:
        """Searches by scoring every item that may be found; see `search`."""
        return self._view.exact(queries, k, where=where, exclude=exclude)

    def vectors_of(self, ids: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Gives the vectors of ids, (n, D), and which of them are there, (n,); others are zeros."""
        return self._view.vectors_of(ids)

    def attributes_of(self, ids: ArrayLike) -> list[dict[str, Any] | None]:
        """Gives the attributes of each id, absent ones left out; None for an id not there."""
        return self._view.attributes_of(ids)

    def stats(self) -> Stats:
        """Tells how the index stands."""
        return self._view.stats()

    @property
    def capabilities(self) -> Capabilities:
        """Tells what the index can do."""
        return self._view.capabilities

    def __len__(self) -> int:
        return len(self._view)

    def upsert(self, ids: ArrayLike, vectors: ArrayLike, attributes: Values | None = None) -> int:
        """Writes items: known ids get the new vector and the new attributes, all of them.

        Every search that begins after it returns sees them. Of ids that come twice, the last
        counts.

        Args:
            ids: int64 (n,).
            vectors: float32 (n, D).
            attributes: by attribute one value an item; what is left out is absent from all.

        Returns:
            The number of the write.

        Raises:
            InputError: as for `build`; nothing is written then.
        """
        state = self._view.state
        given = as_vectors(vectors, self._view.dim, state.config.metric, "vectors")
        ids, given, values = _written(as_ids(ids), given, attributes, state.items.schema)
        with self._lock:
            return self._append(ids, given, values) if len(ids) else self._view.write_number

    def delete(self, ids: ArrayLike) -> int:
        """Deletes items; no search that begins after it returns finds one.

        Returns:
            How many of the ids were there.
        """
        wanted = np.unique(as_ids(ids))
        with self._lock:
            slots = self._view.slots_of(wanted)
            slots = slots[slots >= 0]
            if len(slots):
                self._publish(self._buried(self._view.state, slots))
            return len(slots)

    def retune(self, queries: ArrayLike) -> None:
        """Chooses the parameters anew, with queries such as are asked now, float32 (Q, D).

        Raises:
            InputError: as for `search`; for no queries.
        """
        asked = as_vectors(queries, self._view.dim, self._config.metric, "queries")
        if not len(asked):
            raise InputError("an index is tuned with queries such as are asked, got none")
        with self._folding:
            self._asked, base = asked, self._view.state
            engine, tuning = retuned(base, asked)
            with self._lock:
                if (now := self._view.state).engine is base.engine:
                    self._publish(now._replace(engine=engine, tuning=tuning))

    def fold(self) -> None:
        """Folds the fresh items into the engine, which a thread otherwise does in time.

        Where its recall falls, on recent queries or on the new items, its searches are widened.
        """
        with self._folding:
            base = self._view.state
            engine = adapted(base, folded(base), self._tuning_queries())
            with self._lock:
                if (now := self._view.state).engine is base.engine:
                    self._publish(with_folded(now, base, engine))

    def rebuild(self) -> None:
        """Builds the engine anew, tuned with recent queries, while all else goes on."""
        with self._rebuilding:
            new = rebuilt(self._view.state, self._tuning_queries())
            with self._lock:
                self._publish(with_rebuilt(self._view.state, new))

    def maintain(self) -> bool:
        """Does one thing that is due, if anything is; tells whether one was."""
        return self._rebuild_if_due() or self._fold_if_due()

    def save(self, folder: Path | str) -> Path:
        """Saves the index as it is now, durably, in place of what was saved in the folder before.

        Reads and writes go on. Whatever interrupts it, the folder holds one whole index, the old
        or the new.

        Returns:
            The snapshot in the folder that holds it; `load` takes either.

        Raises:
            SnapshotError: if the system refuses, or another save into the folder is under way.
        """
        return files.save(self._view.state, self._asked, Path(folder))

    @classmethod
    def load(cls, folder: Path | str) -> "Index":
        """Reads a saved index, which goes on where it was saved.

        Raises:
            SnapshotNotFoundError: if there is none.
            SnapshotCorruptError: naming file and array, if a byte is not as it was written.
            SnapshotVersionError: if it was written by a newer library.
            InputError: if the snapshot there holds no index.

        Example:
            >>> import tempfile
            >>> folder = tempfile.mkdtemp()
            >>> index = Index.build(np.array([7]), np.ones((1, 2), np.float32))
            >>> _ = index.save(folder)
            >>> Index.load(folder).search(np.ones((1, 2), np.float32), k=1).ids
            array([[7]])
        """
        return cls(*files.load(Path(folder)))

    def close(self, timeout_s: float = 30.0) -> None:
        """Ends the threads that fold and rebuild; the index can still be read and written."""
        for keeper in self._keepers:
            keeper.close()
        for keeper in self._keepers:
            keeper.join(timeout_s)

    def _fold_if_due(self) -> bool:
        is_due = folding_is_due(self._view.state)
        if is_due:
            self.fold()
            if self._view.state.tuning.on == "items" and len(self._recent) >= ENOUGH:
                self.retune(np.stack(list(self._recent)))
        return is_due

    def _rebuild_if_due(self) -> bool:
        is_due = rebuilding_is_due(self._view.state)
        if is_due:
            self.rebuild()
        return is_due

    def _tuning_queries(self) -> NDArray[np.float32] | None:
        recent = list(self._recent)
        return np.stack(recent) if len(recent) >= ENOUGH else self._asked

    def _append(self, ids: Ids, vectors: NDArray[np.float32], values: Values | None) -> int:
        state = self._view.state
        replaced = self._view.slots_of(ids)
        slots = state.items.append(ids, vectors, values)
        state = state._replace(
            arrays=state.items.arrays, size=state.items.size, alive=state.alive + len(ids)
        )
        if state.engine.is_exact:
            engine = state.engine.folded(slots, vectors, None)
            state = state._replace(engine=engine, folded=state.size)
        self._publish(self._buried(state, replaced[replaced >= 0]))
        return self._view.write_number

    def _buried(self, state: State, slots: NDArray[np.int64]) -> State:
        write = state.write + 1
        state.arrays.died[slots] = write
        stale = state.stale + int(np.count_nonzero(slots < state.folded))
        return state._replace(write=write, alive=state.alive - len(slots), stale=stale)

    def _publish(self, state: State) -> None:
        self._view = View(state)
        if self._config.background:
            for keeper, is_due in zip(self._keepers, DUE, strict=True):
                if is_due(state):
                    keeper.wake()


def _written(
    ids: Ids, vectors: NDArray[np.float32], attributes: Values | None, schema: Schema
) -> tuple[Ids, NDArray[np.float32], Values]:
    if len(ids) != len(vectors):
        raise InputError(f"expected one vector an id, got {len(vectors)} for {len(ids)} ids")
    values = checked(attributes, schema, len(ids))
    kept = distinct(ids)
    if kept is None:
        return ids, vectors, values
    chosen = {name: [column[at] for at in kept.tolist()] for name, column in values.items()}
    return ids[kept], vectors[kept], chosen


def _queries(
    queries: ArrayLike | None, dim: int, config: IndexConfig
) -> NDArray[np.float32] | None:
    return None if queries is None else as_vectors(queries, dim, config.metric, "queries")


def _silent(step: str) -> None:
    return None
