"""Everything that a search reads, fixed at one moment."""

from typing import NamedTuple

from recsys_embed.index.config import IndexConfig
from recsys_embed.index.engines.protocol import Engine
from recsys_embed.index.items import Arrays, Items
from recsys_embed.index.tuning import Tuning


class State(NamedTuple):
    """An index at one moment; writes replace it by another with one assignment.

    Attributes:
        config: of the index.
        items: what knows the newest slot of every id.
        arrays: of the slots, as they were then.
        size: slots given by then; those in [folded, size) are fresh, found by scoring them all.
        folded: slots below it are found by the engine.
        engine: over slots [0, folded).
        tuning: what was measured of the engine.
        write: number of the last write; a slot is alive if it died after it.
        alive: number of slots that are.
        stale: number of dead slots that the engine may still find.
        folds: times that fresh slots were folded in.
        rebuilds: times that the engine was built anew.
    """

    config: IndexConfig
    items: Items
    arrays: Arrays
    size: int
    folded: int
    engine: Engine
    tuning: Tuning
    write: int
    alive: int
    stale: int
    folds: int = 0
    rebuilds: int = 0
