"""Fresh slots folded into a copy of the engine, and the state that takes it in."""

import numpy as np

from recsys_embed.index.engines.protocol import Engine
from recsys_embed.index.state import State


def folded(base: State) -> Engine:
    """Gives an engine that has the fresh slots too; searches go on in the old one meanwhile."""
    alive = base.arrays.died[: base.size] > base.write
    slots = base.folded + np.flatnonzero(alive[base.folded :])
    vectors = base.arrays.vectors.take(slots, axis=0)
    return base.engine.folded(slots, vectors, alive[: base.folded])


def with_folded(now: State, base: State, engine: Engine) -> State:
    """Gives the state as it is now with an engine that was folded from an older one."""
    died = now.arrays.died[: base.size]
    since = int(np.count_nonzero((died > base.write) & (died <= now.write)))
    stale = since if engine.forgets else base.stale + since
    return now._replace(engine=engine, folded=base.size, stale=stale, folds=now.folds + 1)
