"""Content vectors of texts by TF-IDF and truncated SVD: a small local default."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.semantic_ids.nearest import Floats

WORD = re.compile(r"\w\w+")


class TextEncoder(Protocol):
    """Anything that turns N texts into vectors (N, D); `SentenceTransformer.encode` is one."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.floating]:
        """Gives the vectors of N texts."""
        ...


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Turns texts into vectors of unit length: idf-weighted words, projected onto D directions.

    All that travels is these arrays; applying them needs numpy alone. A text without a known word
    is the vector 0. Words are runs of two or more letters, digits or underscores, in lower case.

    Args:
        words: V, in ascending order.
        idf: float32 (V,), ln((1 + N) / (1 + texts with the word)) + 1.
        directions: float32 (D, V), the right singular vectors of the unit rows of tf * idf.

    Example:
        >>> texts = ["red nail polish", "blue nail polish", "hair dryer", "hair brush"]
        >>> vectors = TextVectors.fit(texts, dim=2)(["nail polish remover", "hair"])
        >>> abs(vectors).round(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    words: tuple[str, ...]
    idf: Floats
    directions: Floats

    @classmethod
    def fit(cls, texts: Sequence[str], dim: int = 64, seed: int = 0) -> "TextVectors":
        """Learns words and directions of N texts; the same texts and seed give the same.

        Args:
            texts: N of them.
            dim: D, below the number of distinct words.
            seed: of the randomized SVD.

        Raises:
            InputError: if there are too few texts or words for the dimension.
        """
        # The base needs numpy alone; only who fits needs scikit-learn.
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not any(WORD.search(text) for text in texts):
            raise InputError(
                f"expected texts with words of two characters or more, got {len(texts)} without any"
            )
        tfidf = TfidfVectorizer(token_pattern=WORD.pattern)
        weighted = tfidf.fit_transform(texts)
        if not 1 <= dim < min(weighted.shape):
            raise InputError(
                f"{weighted.shape[0]} texts with {weighted.shape[1]} distinct words give fewer than"
                f" {min(weighted.shape)} dimensions, asked for {dim}"
            )
        svd = TruncatedSVD(dim, random_state=seed).fit(weighted)
        words = tuple(tfidf.get_feature_names_out().tolist())
        return cls(words, tfidf.idf_.astype(np.float32), svd.components_.astype(np.float32))

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Gives the vectors of N texts, float32 (N, D), of length 1 or 0."""
        places = {word: place for place, word in enumerate(self.words)}
        vectors = np.zeros((len(texts), len(self.directions)), np.float64)
        columns = np.ascontiguousarray(self.directions.T, np.float64)
        for vector, text in zip(vectors, texts, strict=True):
            found = [places[word] for word in WORD.findall(text.lower()) if word in places]
            np.add.reduce(columns[found] * self.idf[found, None], axis=0, out=vector)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
