"""Vectors of texts: scikit-learn's own pipeline, without scikit-learn once they are learned."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from recsys_embed import InputError
from recsys_embed.semantic_ids import TextVectors
from recsys_embed.semantic_ids.files import read_text_vectors, write_text_vectors

WORDS = "red blue green nail polish hair dryer brush cream Größe 100ml x_1".split()
NEW = ["polish for a RED brush", "nothing known", "", "größe, größe; 100ml!"]


def texts(rng: np.random.Generator) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(0, 9))) for _ in range(80)]


def test_they_are_what_the_pipeline_of_scikit_learn_gives(rng: np.random.Generator) -> None:
    known = texts(rng)
    pipeline = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=3), Normalizer())
    pipeline.fit(known)
    vectors = TextVectors.fit(known, dim=5, seed=3)
    for given in (known, NEW):
        np.testing.assert_allclose(vectors(given), pipeline.transform(given), atol=1e-5)


def test_vectors_have_length_one_or_zero(rng: np.random.Generator) -> None:
    vectors = TextVectors.fit(texts(rng), dim=4)
    lengths = np.linalg.norm(vectors(NEW), axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 0, 1], atol=1e-6)
    assert vectors([]).shape == (0, 4) and vectors(NEW).dtype == np.float32


def test_the_same_texts_and_seed_give_the_same(rng: np.random.Generator) -> None:
    known = texts(rng)
    one, other = (TextVectors.fit(known, dim=4, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one(NEW), other(NEW))


def test_they_come_back_from_their_file(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = TextVectors.fit(texts(rng), dim=3)
    write_text_vectors(tmp_path / "texts", vectors)
    np.testing.assert_array_equal(read_text_vectors(tmp_path / "texts")(NEW), vectors(NEW))


def test_what_gives_no_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="words of two characters or more, got 3 without any"):
        TextVectors.fit(["", "a", "?!"])
    with pytest.raises(InputError, match="3 texts with 2 distinct words give fewer than 2 dimen"):
        TextVectors.fit(["red", "blue", "red blue"], dim=2)
    with pytest.raises(InputError, match="expected text vectors at .*, but there is no file"):
        read_text_vectors(tmp_path / "none")
    (tmp_path / "broken").write_bytes(b"12345")
    with pytest.raises(InputError, match="expected text vectors in"):
        read_text_vectors(tmp_path / "broken")
