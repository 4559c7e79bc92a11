"""What is said of items comes back from its bytes as it was said."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.deltas import Delta, decode, encode
from recsys_embed.errors import DeltaError, InputError
from serving.retrieval.items_log import LINEAGE
from serving.retrieval.spelling import Said, read, spell
from serving.retrieval.words import DELETED, Word

IDS = st.integers(-(2**63), 2**63 - 1)
VECTORS = st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3).map(np.float32)
PLAIN = st.dictionaries(
    st.text(max_size=3),
    st.none() | st.booleans() | IDS | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3) | st.lists(st.text(max_size=2), max_size=2),
    max_size=3,
)  # fmt: skip
WORDS = st.just(DELETED) | st.builds(
    Word, VECTORS, st.text(max_size=3), st.none() | PLAIN, PLAIN, st.none() | VECTORS, PLAIN
)
SAID = st.builds(
    Said, st.text(max_size=3), st.dictionaries(IDS, WORDS, max_size=3), st.just(""), st.just("")
)
COMMANDS = st.builds(
    Said, st.text(max_size=3), st.just({}), st.sampled_from(["rebuild", "activate"]), st.text()
)


def plain(said: Said) -> Any:
    def row(vector: Any) -> Any:
        return None if vector is None else np.float32(vector).tobytes()

    words = {
        id: (
            row(w.vector),
            w.tower_version,
            w.features,
            w.attributes,
            row(w.over),
            w.attributes_over,
        )
        for id, w in said.words.items()
    }
    return said.index, words, said.command, said.version


@given(st.lists(SAID | COMMANDS, max_size=4), st.integers(1, 2**40))
def test_what_was_said_is_read(said: list[Said], number: int) -> None:
    found = read(decode(spell(said, LINEAGE, number)))
    assert list(map(plain, found)) == list(map(plain, said))


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"], ids=["NaN", "a set", "bytes"])
def test_features_that_json_has_not_are_refused(value: Any) -> None:
    word = Word(np.ones(3, np.float32), "one", {"age": value}, {}, None, {})
    with pytest.raises(InputError, match="plain JSON"):
        spell([Said("items", {1: word})], LINEAGE, 1)


@pytest.mark.parametrize("extra", [{}, {"said": [{}]}, {"said": 3}])
def test_an_entry_of_another_kind_is_named(extra: Any) -> None:
    delta = Delta.of({}, lineage=LINEAGE, number=7, extra=extra)
    with pytest.raises(DeltaError, match=r"entry 7.*the trainer's log"):
        read(decode(encode(delta)))
