"""Masks over slots, kept for the next search that asks the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes.growing import Growing

Mask = NDArray[np.bool_]
MOST_BYTES = 64 << 20


class Masks:
    """Keeps masks by what they ask, the least recently asked ones go; new slots are added alone.

    A slot's attributes never change, so a mask is right for good and only ever grows. All threads
    may ask at once; two that miss the same slots both compute them.

    Args:
        most_bytes: of all masks together; one mask larger than this is not kept.

    Example:
        >>> masks = Masks()
        >>> masks.get("even", 4, lambda start, stop: np.arange(start, stop) % 2 == 0)
        array([ True, False,  True, False])
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, tuple[Growing, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, asked: Hashable, size: int, compute: Callable[[int, int], Mask]) -> Mask:
        """Gives the mask over the first `size` slots, read-only bool (size,).

        Args:
            asked: what tells this mask from others.
            size: slots that the caller sees.
            compute: gives the mask of [start, stop), start < stop.
        """
        with self._lock:
            mask, known = self._kept.get(asked, (Growing(bool), 0))
            if asked in self._kept:
                self._kept.move_to_end(asked)
        if known < size:
            mask = self._extended(asked, mask, known, size, compute(known, size))
        found = mask.read(0, size)
        found.flags.writeable = False
        return found

    def _extended(
        self, asked: Hashable, mask: Growing, known: int, size: int, more: Mask
    ) -> Growing:
        with self._lock:
            kept, now = self._kept.get(asked, (Growing(bool), 0))
            if now >= size:
                return kept
            self._bytes -= kept.nbytes
            mask.write(known, more)  # what another thread put there meanwhile is the same
            self._kept[asked] = mask, size
            self._bytes += mask.nbytes
            self._evict()
            return mask

    def _evict(self) -> None:
        while self._bytes > self._most_bytes:
            _, (mask, _) = self._kept.popitem(last=False)
            self._bytes -= mask.nbytes
