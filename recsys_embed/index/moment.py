"""A state with what is worked out of it at most once, and shared by searches."""

from collections import OrderedDict
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes import Columns
from recsys_embed.index.engines.exact import chosen_of
from recsys_embed.index.engines.protocol import Chosen, Mask, Slots
from recsys_embed.index.state import State

MOST_FILTERS = 16  # whose slots are kept with a moment; the next write begins another


class Where(Protocol):
    """What a filter must be, and hashable: `recsys_embed.index.filters` has one."""

    def mask(self, columns: Columns, size: int) -> NDArray[np.bool_]:
        """Tells of the first `size` slots which ones match."""


class Admitted:
    """Slots that are alive and may be found, spelled as each way to search wants them.

    Args:
        state: whose slots they are.
        mask: bool (size,).
    """

    def __init__(self, state: State, mask: Mask) -> None:
        self._state = state
        self.mask = mask
        self.count = int(np.count_nonzero(mask))

    @cached_property
    def slots(self) -> Slots:
        """The slots, rising."""
        return np.flatnonzero(self.mask)

    @cached_property
    def in_engine(self) -> Chosen:
        """Those that the engine has."""
        return self._state.engine.chosen(self.mask[: self._state.folded])

    @cached_property
    def in_fresh(self) -> Chosen:
        """Those that the engine has not, numbered from `folded`."""
        return chosen_of(self.mask[self._state.folded :])

    @cached_property
    def in_all(self) -> Chosen:
        """All of them, for exact search."""
        return chosen_of(self.mask)


class Moment:
    """A state, and what searches of it have in common; any number of threads may ask it.

    Threads that ask for the same at once may each work it out; they get equal arrays.

    Attributes:
        state: which never changes.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._filtered: OrderedDict[Where, Admitted] = OrderedDict()

    @cached_property
    def alive(self) -> Admitted:
        """Slots that are alive."""
        state = self.state
        return Admitted(state, state.arrays.died[: state.size] > state.write)

    @cached_property
    def fresh_alive(self) -> Chosen | None:
        """Fresh slots that are alive, numbered from `folded`; None if all are."""
        state = self.state
        living = state.arrays.died[state.folded : state.size] > state.write
        return None if living.all() else chosen_of(living)

    def admitted(self, where: Where) -> Admitted:
        """Gives the slots that are alive and match."""
        known = self._filtered.get(where)
        if known is None:
            known = self._filtered[where] = Admitted(self.state, self._matching(where))
            if len(self._filtered) > MOST_FILTERS:
                self._filtered.popitem(last=False)
        return known

    def _matching(self, where: Where) -> Mask:
        state = self.state
        matching = where.mask(state.items.columns, state.size)
        return matching if state.alive == state.size else matching & self.alive.mask
