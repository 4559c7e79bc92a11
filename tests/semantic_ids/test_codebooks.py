"""Codebooks: exact nearest codes, whatever the batch; what decode undoes; what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys_embed import InputError
from recsys_embed.semantic_ids import Codebooks
from recsys_embed.semantic_ids.files import read_codebooks, write_codebooks
from recsys_embed.semantic_ids.networks import Perceptron
from tests.reference.semantic_codes import encode
from tests.semantic_ids.making import some_codebooks

small = st.integers(-3, 3).map(float)  # coarse, so that many distances are exactly equal


@given(st.data(), st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.integers(0, 9))
def test_encode_is_the_reference_with_ties_to_the_lowest(
    data: st.DataObject, levels: int, codes: int, dim: int, items: int
) -> None:
    vectors = data.draw(arrays(np.float32, (levels, codes, dim), elements=small))
    contents = data.draw(arrays(np.float32, (items, dim), elements=small))
    found = Codebooks(vectors).encode(contents)
    assert found.tolist() == [encode(content, vectors) for content in contents]


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_encode_is_exact_where_float32_cannot_tell_codes_apart(
    offset: float, rng: np.random.Generator
) -> None:
    # Neighbouring float32 far from the origin: their dot products drown in rounding.
    close = np.float32(offset) + rng.integers(-4, 5, (1, 30, 3)) * np.spacing(np.float32(offset))
    vectors = np.concatenate([close, close - np.float32(offset)]).astype(np.float32)
    contents = vectors[0] + rng.integers(-2, 3, (30, 3)) * np.spacing(np.float32(offset))
    contents = contents.astype(np.float32)
    found = Codebooks(vectors).encode(contents)
    assert found.tolist() == [encode(content, vectors) for content in contents]


def test_codes_do_not_depend_on_the_batch(rng: np.random.Generator) -> None:
    codebooks = some_codebooks(rng, levels=4, codes=64, dim=48)
    contents = rng.standard_normal((1500, 48), dtype=np.float32)
    together = codebooks.encode(contents)
    for size in (1, 7, 512, 513):
        parts = [codebooks.encode(contents[i : i + size]) for i in range(0, 1100, size)]
        np.testing.assert_array_equal(np.concatenate(parts), together[: len(np.concatenate(parts))])
    np.testing.assert_array_equal(codebooks.encode(contents.astype(np.float64)), together)


def test_a_code_is_nearest_to_itself(rng: np.random.Generator) -> None:
    codebooks = some_codebooks(rng, levels=1, codes=40)
    codes = np.arange(40)[:, None]
    np.testing.assert_array_equal(codebooks.encode(codebooks.decode(codes)), codes)
    assert codebooks.relative_error(codebooks.decode(codes)) == 0


def test_decode_sums_the_codes_of_each_level(rng: np.random.Generator) -> None:
    codebooks = some_codebooks(rng)
    codes = rng.integers(0, 5, (7, 3))
    expected = [sum(codebooks.vectors[level, c] for level, c in enumerate(row)) for row in codes]
    np.testing.assert_allclose(codebooks.decode(codes), expected, rtol=1e-6)
    np.testing.assert_array_equal(codebooks.decode(codes[:, :1]), codebooks.vectors[0][codes[:, 0]])


def test_each_level_leaves_less_over(rng: np.random.Generator) -> None:
    codebooks = some_codebooks(rng)
    zero = Codebooks(np.concatenate([codebooks.vectors[:1], np.zeros((1, 5, 4), np.float32)]))
    with_nothing = Codebooks(np.insert(codebooks.vectors, 0, 0, axis=1))  # code 0 changes nothing
    contents = rng.standard_normal((100, 4))
    errors = [
        Codebooks(with_nothing.vectors[:levels]).relative_error(contents) for levels in (1, 2, 3)
    ]
    assert errors == sorted(errors, reverse=True)
    first = Codebooks(codebooks.vectors[:1])
    assert zero.relative_error(contents) == first.relative_error(contents)


def networks(rng: np.random.Generator) -> Codebooks:
    encoder = Perceptron(np.array([3, 5, 4]), rng.standard_normal(44).astype(np.float32))
    decoder = Perceptron(np.array([4, 3]), rng.standard_normal(15).astype(np.float32))
    return Codebooks(some_codebooks(rng).vectors, encoder, decoder)


def test_networks_stand_around_the_codes(rng: np.random.Generator) -> None:
    codebooks = networks(rng)
    contents = rng.standard_normal((6, 3)).astype(np.float32)
    weights = codebooks.encoder.weights.astype(np.float64)  # type: ignore[union-attr]
    hidden = np.maximum(contents @ weights[:15].reshape(5, 3).T + weights[15:20], 0)
    latent = hidden @ weights[20:40].reshape(4, 5).T + weights[40:]
    codes = codebooks.encode(contents)
    expected = [encode(row, codebooks.vectors) for row in latent.astype(np.float32)]
    assert codes.tolist() == expected and codebooks.width == 3
    assert codebooks.reconstruct(codes).shape == (6, 3)


def test_codebooks_come_back_from_their_file(tmp_path: Path, rng: np.random.Generator) -> None:
    for codebooks in (some_codebooks(rng), networks(rng)):
        write_codebooks(tmp_path / "books", codebooks)
        again = read_codebooks(tmp_path / "books")
        assert again.digest == codebooks.digest
        contents = rng.standard_normal((9, codebooks.width))
        codes = codebooks.encode(contents)
        np.testing.assert_array_equal(again.encode(contents), codes)
        np.testing.assert_array_equal(again.reconstruct(codes), codebooks.reconstruct(codes))


def test_the_digest_names_what_decides_codes(rng: np.random.Generator) -> None:
    codebooks = networks(rng)
    assert Codebooks(codebooks.vectors, codebooks.encoder).digest == codebooks.digest
    assert Codebooks(codebooks.vectors).digest != codebooks.digest
    assert Codebooks(codebooks.vectors + 1, codebooks.encoder).digest != codebooks.digest
    again = Codebooks.from_arrays(codebooks.arrays())
    assert again.digest == codebooks.digest
    with pytest.raises(InputError, match="an encoder but no decoder"):
        again.reconstruct(np.zeros((1, 3), int))


def test_a_changed_byte_is_found(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "books"
    write_codebooks(path, some_codebooks(rng))
    data = bytearray(path.read_bytes())
    data[data.index(some_codebooks(np.random.default_rng(20240607)).vectors.tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected codebooks with digest"):
        read_codebooks(path)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (np.zeros((2, 5)), r"shape \(N, 4\), got float64 \(2, 5\)"),
        (np.zeros(4), r"shape \(N, 4\), got float64 \(4,\)"),
        (np.array([["a"] * 4]), r"shape \(N, 4\), got <U1"),
        (np.full((3, 4), np.nan), "got 3 of 3 that are not; the first is vector 0"),
        (np.r_[np.zeros((600, 4)), np.full((1, 4), np.inf)], "the first is vector 600"),
        (np.full((1, 4), 1e30), "shorter than 1e\\+18"),
    ],
)
def test_bad_contents_are_refused(
    contents: np.ndarray, words: str, rng: np.random.Generator
) -> None:
    with pytest.raises(InputError, match=words):
        some_codebooks(rng).encode(contents)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([[0, 1, 5]], r"in \[0, 5\), got 0 to 5"),
        ([[-1, 0, 0]], r"in \[0, 5\), got -1 to 0"),
        ([[0] * 4], r"shape \(N, 3\), got int64 \(1, 4\)"),
        ([[0.5] * 3], "got float64"),
    ],
)
def test_bad_codes_are_refused(codes: list, words: str, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match=words):
        some_codebooks(rng).decode(codes)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.zeros((2, 3)), r"have shape \(levels, codes up to 65,536, width\), got \(2, 3\)"),
        (np.zeros((0, 3, 4)), r"got \(0, 3, 4\)"),
        (np.full((1, 1, 1), np.nan), "code 0 of level 1 has length nan"),
        (np.array([[[0.0], [1]], [[0], [1e30]]]), r"code 1 of level 2 has length 1e\+30"),
    ],
)
def test_bad_codebooks_are_refused(vectors: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Codebooks(vectors)


PRINT_CODES = """
import sys, numpy as np, recsys_embed
from recsys_embed.semantic_ids import Codebooks
recsys_embed.set_num_threads(int(sys.argv[1]))
rng = np.random.default_rng(1)
books = 1000 + rng.integers(-3, 4, (3, 70, 19)) * np.spacing(np.float32(1000))
contents = books[0][rng.integers(0, 70, 3000)] + rng.integers(-3, 4, (3000, 19)) * 1e-4
print(Codebooks(books).encode(contents).sum(axis=0), Codebooks(books).encode(contents)[-7:])
"""


def test_instruction_sets_and_threads_give_the_same_codes() -> None:
    printed = set()
    for isa, threads in (("baseline", "1"), ("avx2", "2"), ("avx512", "3")):
        done = subprocess.run(
            [sys.executable, "-c", PRINT_CODES, threads],
            env={**os.environ, "RECSYS_EMBED_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(done.stdout)
    assert len(printed) == 1 and "[" in printed.pop()


def test_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"widths \[2, 3\] has 9 weights, got .* \(4,\)"):
        Perceptron(np.array([2, 3]), np.zeros(4, np.float32))
    with pytest.raises(InputError, match="codes of 4 floats do not meet"):
        Codebooks(np.zeros((1, 1, 4)), Perceptron(np.array([2, 3]), np.zeros(9, np.float32)))
