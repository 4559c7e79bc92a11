"""Raw features to what a tower is fed: ids and numbers, the same in training as in serving."""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import InputError
from recsys_embed.hashing import hash_string
from recsys_embed.retrieval.description import Ids, Input, Number, Tower

WORD = re.compile(r"[^\W_]+")
LONGEST = 10_000  # ids one value may hold
FLOAT32_MAX = float(np.finfo(np.float32).max)
FLOAT64_MAX = float(np.finfo(np.float64).max)  # below some integers

Features = Mapping[str, Any]


class FeatureError(InputError):
    """A feature that a tower does not know, or a value that it cannot take."""


class Bag(NamedTuple):
    """Ids of B examples: `values` int64 (N,), those of example b from `offsets[b]` (B + 1,)."""

    values: NDArray[np.int64]
    offsets: NDArray[np.int64]


Encoded = dict[str, Bag | NDArray[np.float32]]


def words(text: str) -> list[str]:
    """Splits a text into its words: runs of letters and digits, in capitals, forms unified (NFKC).

    Example:
        >>> words("White hanging-heart, T-light x2")
        ['WHITE', 'HANGING', 'HEART', 'T', 'LIGHT', 'X2']
    """
    return WORD.findall(unicodedata.normalize("NFKC", text).upper())


def encode(tower: Tower, examples: Sequence[Features]) -> Encoded:
    """Gives a tower's inputs for B examples: a `Bag` for ids, float32 (B, 1) for numbers.

    A feature that an example lacks, or has as None, is no ids, or the number that training saw on
    average. Strings become ids by their hash, integers are ids as they are, texts are split into
    words first.

    Raises:
        FeatureError: for a feature that the tower has not, or a value of another type.

    Example:
        >>> tower = Tower((Ids("history", "item", most=2), Number("age", mean=40, std=10)), dim=4)
        >>> found = encode(tower, [{"history": [7, 8, 9], "age": 50}, {}])
        >>> found["history"].values, found["history"].offsets, found["age"].ravel()
        (array([8, 9]), array([0, 2, 2]), array([1., 0.], dtype=float32))
    """
    for example in examples:
        for name in example:
            if name not in tower.features:
                raise FeatureError(f"there is no feature {name!r}; {near(name, tower.features)}")
    return {
        one.feature: _encoded(one, [example.get(one.feature) for example in examples])
        for one in tower.inputs
    }


def ids_of(one: Ids, value: Any) -> list[int]:
    """Gives the ids of a raw value.

    Raises:
        FeatureError: for a value that has none.
    """
    if value is None:
        return []
    if one.text:
        return [hash_string(word) for word in words(_text(one, value))][:LONGEST]
    if not isinstance(value, (list, tuple)):
        return [_id(one, value)]
    if len(value) > LONGEST:
        raise FeatureError(
            f"{one.feature}: expected at most {LONGEST:,} values, got {len(value):,}"
        )
    return [_id(one, each) for each in value[-one.most :]]


def _encoded(one: Input, values: Sequence[Any]) -> Bag | NDArray[np.float32]:
    if isinstance(one, Number):
        return np.array([[_number(one, value)] for value in values], np.float32).reshape(-1, 1)
    found = [ids_of(one, value) for value in values]
    offsets = np.zeros(len(found) + 1, np.int64)
    np.cumsum([len(ids) for ids in found], out=offsets[1:])
    return Bag(np.array([id for ids in found for id in ids], np.int64), offsets)


def _number(one: Number, value: Any) -> float:
    if value is None:
        return 0.0
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= FLOAT64_MAX:  # nor is NaN
        raise FeatureError(f"{one.feature}: expected a finite number, got {value!r:.80}")
    scaled = ((math.log1p(max(value, 0.0)) if one.log else value) - one.mean) / one.std
    if abs(scaled) > FLOAT32_MAX:
        raise FeatureError(f"{one.feature}: expected a number that fits float32, got {value!r}")
    return scaled


def _id(one: Ids, value: Any) -> int:
    if isinstance(value, str):
        try:
            return hash_string(value)
        except InputError:
            raise FeatureError(f"{one.feature}: expected text in Unicode, got {value!r}") from None
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    raise FeatureError(
        f"{one.feature}: expected strings or integers in [-2^63, 2^63), got {value!r}"
    )


def _text(one: Ids, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise FeatureError(f"{one.feature}: expected a text, got {value!r}")
