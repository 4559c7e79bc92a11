"""Everything built anew from what is alive, while writes go on, and the state that takes it in."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.building import built
from recsys_embed.index.engines.protocol import Engine, Floats
from recsys_embed.index.items import Items, Slots
from recsys_embed.index.state import State
from recsys_embed.index.tuning import Tuning

BLOCK = 4096  # rows copied at once: a copy keeps other threads from running


class Rebuilt(NamedTuple):
    """What was built of the items alive at `base`, and the slots there that they come from."""

    base: State
    slots: Slots
    items: Items
    engine: Engine
    tuning: Tuning


def rebuilt(base: State, queries: Floats | None) -> Rebuilt:
    """Builds items without dead slots, and an engine over them, tuned with these queries."""
    slots = np.flatnonzero(base.arrays.died[: base.size] > base.write)
    columns = base.items.columns.compacted(slots)
    items = Items(base.arrays.ids[slots], _taken(base.arrays.vectors, slots), columns)
    engine, tuning = built(items, base.config, queries)
    return Rebuilt(base, slots, items, engine, tuning)


def with_rebuilt(now: State, new: Rebuilt) -> State:
    """Gives the state as it is now with what was built, after the writes since are made there too.

    No other thread may write meanwhile.
    """
    base, items = new.base, new.items
    died = now.arrays.died[new.slots]
    gone = np.flatnonzero(died <= now.write)
    late = base.size + np.flatnonzero(now.arrays.died[base.size : now.size] > now.write)
    values = now.items.columns.values(late)
    added = items.append(now.arrays.ids[late], now.arrays.vectors[late], values)
    items.arrays.died[gone] = now.write
    engine, size, folded = new.engine, items.size, len(new.slots)
    if engine.is_exact:
        engine, folded = engine.folded(added, items.arrays.vectors[added], None), size
    return now._replace(
        items=items,
        arrays=items.arrays,
        size=size,
        folded=folded,
        engine=engine,
        tuning=new.tuning,
        stale=len(gone),
        rebuilds=now.rebuilds + 1,
    )


def _taken(vectors: Floats, slots: Slots) -> NDArray[np.float32]:
    taken = np.empty((len(slots), vectors.shape[1]), np.float32)
    for start in range(0, len(slots), BLOCK):
        vectors.take(slots[start : start + BLOCK], axis=0, out=taken[start : start + BLOCK])
    return taken
