"""Words and commands as entries of a log of items: deltas without tables, so bytes with checksums.

`extra["said"]` lists what was said, one after the other; the arrays of the n-th are `n/vectors` and
`n/over`, float32, a row an item that has one. docs/formats.md has the layout.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_embed.deltas import Delta, encode
from recsys_embed.errors import DeltaError, InputError
from recsys_embed.retrieval.inputs import Features
from serving.retrieval.asked import Floats
from serving.retrieval.words import DELETED, Word, Words

SAID, WHOLE = "said", "whole"


@dataclass(frozen=True, eq=False)
class Said:
    """One write, or one command about versions.

    Args:
        index: that it is about.
        words: by item.
        command: "rebuild", "activate" or "rollback"; none if empty.
        version: that the command names.
    """

    index: str
    words: Words
    command: str = ""
    version: str = ""


def spell(said: Sequence[Said], lineage: str, number: int, is_whole: bool = False) -> bytes:
    """Gives the bytes of entry `number`.

    Args:
        said: what it says.
        lineage: of the log.
        number: of the entry.
        is_whole: whether this is all that was said so far, so that none before it is needed.

    Raises:
        InputError: for features that are not of plain JSON types.
    """
    dense, plain = dict[str, Floats](), list[dict[str, Any]]()
    for place, one in enumerate(said):
        plain.append(_spelled(one))
        for name in ("vectors", "over"):
            rows = [row for word in one.words.values() if (row := _row(word, name)) is not None]
            if rows:
                dense[f"{place}/{name}"] = np.stack(rows).astype(np.float32)
    extra = {SAID: plain, WHOLE: is_whole}
    return encode(Delta.of({}, lineage=lineage, number=number, dense=dense, extra=extra))


def is_whole(delta: Delta) -> bool:
    """Tells whether an entry says all that those before it say together."""
    return delta.extra.get(WHOLE) is True


def as_json(features: Features) -> dict[str, Any]:
    """Gives features as JSON holds them.

    Raises:
        InputError: for values that JSON has not.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(features), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"features must be of plain JSON types: {error}") from None
    return plain


def _spelled(one: Said) -> dict[str, Any]:
    words = [
        {
            "id": id,
            "deleted": word.vector is None,
            "tower_version": word.tower_version,
            "features": None if word.features is None else as_json(word.features),
            "attributes": as_json(word.attributes),
            "is_over": word.over is not None,
            "attributes_over": as_json(word.attributes_over),
        }
        for id, word in one.words.items()
    ]
    return {"index": one.index, "command": one.command, "version": one.version, "words": words}


def _row(word: Word, name: str) -> Floats | None:
    return word.vector if name == "vectors" else word.over


def read(delta: Delta) -> list[Said]:
    """Reads what an entry says; `read(decode(spell(said, …)))` says the same as `said`.

    Raises:
        DeltaError: for an entry that is not one of a log of items.
    """
    try:
        return [_read(one, delta.dense, n) for n, one in enumerate(delta.extra[SAID])]
    except (KeyError, TypeError, IndexError, StopIteration) as error:
        raise DeltaError(
            f"entry {delta.number}: expected what was said of items, found something else"
            f" ({error!r}); is this the trainer's log?"
        ) from None


def _read(one: Mapping[str, Any], dense: Mapping[str, Any], place: int) -> Said:
    vectors = iter(dense.get(f"{place}/vectors", ()))
    over = iter(dense.get(f"{place}/over", ()))
    words = Words()
    for word in one["words"]:
        if word["deleted"]:
            words[word["id"]] = DELETED
            continue
        words[word["id"]] = Word(
            vector=np.array(next(vectors)),
            tower_version=word["tower_version"],
            features=word["features"],
            attributes=word["attributes"],
            over=np.array(next(over)) if word["is_over"] else None,
            attributes_over=word["attributes_over"],
        )
    return Said(one["index"], words, one["command"], one["version"])
