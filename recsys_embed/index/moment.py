"""A state with what is worked out of it at most once."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.engines.protocol import Bits
from recsys_embed.index.state import State


class Moment:
    """A state, and what searches of it have in common; any number of threads may ask it.

    Threads that ask for the same at once may each work it out; they get equal arrays.

    Attributes:
        state: which never changes.
    """

    def __init__(self, state: State) -> None:
        self.state = state

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """Which slots are alive, (size,)."""
        state = self.state
        return state.arrays.died[: state.size] > state.write

    @cached_property
    def alive_bits(self) -> Bits | None:
        """The same in bits; None if all are alive."""
        if self.state.alive == self.state.size:
            return None
        return np.packbits(self.alive, bitorder="little")

    @cached_property
    def fresh_alive(self) -> NDArray[np.bool_] | None:
        """Which of the fresh slots are alive, (size - folded,); None if all are."""
        state = self.state
        living = state.arrays.died[state.folded : state.size] > state.write
        return None if living.all() else living
