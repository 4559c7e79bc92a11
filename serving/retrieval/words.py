"""What was said of items over HTTP, as a state: of each item the last word counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_embed.retrieval.inputs import Features
from serving.retrieval.asked import Floats

CODED = 0.01  # a row's largest part, by which an int8 delta and a float32 snapshot may differ


@dataclass(frozen=True, eq=False)
class Word:
    """The last word about an item; it holds until the trainer changes what it was said over.

    Args:
        vector: float32 (D,); None for a deletion, which holds whatever the trainer says.
        tower_version: that the vector fits.
        features: from which another tower makes its own vector; None if it was given by vector.
        attributes: all it has.
        over, attributes_over: the trainer's vector, None if it had none, and attributes then.
    """

    vector: Floats | None
    tower_version: str
    features: Features | None
    attributes: Mapping[str, Any]
    over: Floats | None
    attributes_over: Mapping[str, Any]


DELETED = Word(None, "", None, {}, None, {})
Words = dict[int, Word]  # by item


def is_as_before(row: Floats | None, over: Floats | None) -> bool:
    """Tells whether the trainer's row is the one that a word was said over, codecs aside.

    Example:
        >>> over = np.float32([1, 0.5])
        >>> is_as_before(np.float32([1.001, 0.501]), over), is_as_before(None, over)
        (True, True)
        >>> is_as_before(np.float32([1, 0.7]), over), is_as_before(over, None)
        (False, False)
    """
    if row is None:
        return True  # the trainer has nothing to set against the word
    if over is None or over.shape != row.shape:
        return False
    return bool(np.abs(row - over).max() <= CODED * np.abs(over).max())
