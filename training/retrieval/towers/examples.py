"""Encoded examples, chosen a batch at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.retrieval.description import Tower
from recsys_embed.retrieval.inputs import Bag, Encoded, Features, encode


class Examples(NamedTuple):
    """N examples as a tower is fed them: by feature a `Bag`, or float32 (N, 1)."""

    encoded: Encoded
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs

    @classmethod
    def of(cls, tower: Tower, features: Sequence[Features]) -> "Examples":
        """Encodes raw features, by the code that serving uses.

        Raises:
            FeatureError: for a value that the tower cannot take.
        """
        return cls(encode(tower, features), len(features))

    def take(
        self,
        chosen: NDArray[np.int64],
        hidden: str | None = None,
        is_hidden: NDArray[np.bool_] | None = None,
    ) -> "Examples":
        """Gives the chosen examples (B,), in this order.

        Args:
            chosen: their numbers.
            hidden: a feature of ids that some of them do without.
            is_hidden: which ones, (B,).

        Example:
            >>> from recsys_embed.retrieval.description import Ids
            >>> tower = Tower((Ids("item", "item"),), dim=4)
            >>> three = Examples.of(tower, [{"item": 7}, {"item": 8}, {"item": 9}])
            >>> bag = three.take(np.array([2, 0]), "item", np.array([False, True])).encoded["item"]
            >>> bag.values, bag.offsets
            (array([9]), array([0, 1, 1]))
        """
        encoded: Encoded = {}
        for feature, given in self.encoded.items():
            if isinstance(given, Bag):
                drop = is_hidden if feature == hidden else None
                encoded[feature] = _bags(given, chosen, drop)
            else:
                encoded[feature] = given[chosen]
        return Examples(encoded, len(chosen))


def _bags(bag: Bag, chosen: NDArray[np.int64], drop: NDArray[np.bool_] | None) -> Bag:
    starts, lengths = bag.offsets[:-1][chosen], np.diff(bag.offsets)[chosen]
    if drop is not None:
        lengths = np.where(drop, 0, lengths)
    offsets = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Bag(bag.values[np.repeat(starts, lengths) + within], offsets)
