"""Raw values become ids: integers as they are, strings by XXH64 of their UTF-8 bytes."""

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError, hash_string, hash_strings, ids_of
from recsys_embed.hashing import mix
from recsys_embed.native import Xxh64

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


@given(st.lists(TEXT, max_size=8))
def test_a_strings_id_is_its_xxh64_as_a_signed_integer(texts):
    expected = [signed(xxhash.xxh64_intdigest(text.encode())) for text in texts]
    hashed = hash_strings(texts)
    assert hashed.dtype == np.int64 and hashed.tolist() == expected
    assert [hash_string(text) for text in texts] == expected


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_streamed_bytes_hash_like_whole_ones(pieces):
    hasher = Xxh64()
    for piece in pieces:
        hasher.update(piece)
    assert hasher.digest() == xxhash.xxh64_intdigest(b"".join(pieces))


def test_streaming_takes_arrays_and_large_pieces(rng):
    data = rng.integers(0, 256, 100_003).astype(np.uint8)
    hasher = Xxh64()
    for piece in np.split(data, [1, 33, 40_000]):
        hasher.update(piece)
    assert hasher.digest() == xxhash.xxh64_intdigest(data.tobytes())


def test_arrays_of_strings_hash_like_lists():
    texts = ["", "a", "über", "日本", "a" * 100]
    expected = hash_strings(texts).tolist()
    for array in (np.array(texts), np.array(texts, object)):
        assert hash_strings(array).tolist() == expected
        assert ids_of(array).tolist() == expected


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]
)
def test_integers_keep_their_value(dtype):
    limits = np.iinfo(dtype)
    values = np.array([limits.min, 0, 1, limits.max], dtype)
    ids = ids_of(values)
    assert ids.dtype == np.int64 and ids.tolist() == values.tolist()


def test_unsigned_64_bit_integers_keep_their_bits():
    values = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert ids_of(values).tolist() == [0, 2**63 - 1, -(2**63), -1]


@pytest.mark.parametrize(
    "values", [np.array([1.0]), np.array([True]), np.array(["a", 3], object), ["a", None], [["a"]]]
)
def test_what_is_neither_integer_nor_string_is_refused(values):
    with pytest.raises(InputError):
        ids_of(values)


def test_no_values_give_no_ids():
    for empty in ([], np.array([], str), np.array([], np.int32)):
        ids = ids_of(empty)
        assert ids.dtype == np.int64 and ids.shape == (0,)
    assert hash_strings([]).shape == (0,)


def test_a_lone_surrogate_has_no_id():
    with pytest.raises(InputError, match="Unicode"):
        hash_strings(["fine", "\ud800"])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True), st.integers(0, 2**63 - 1))
def test_mixing_keeps_different_ids_different(ids, seed):
    assert len(set(mix(np.array(ids, np.int64), seed).tolist())) == len(ids)
