"""Semantic IDs by what is written about items: those of the train part teach, all get an ID."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import SemanticId
from recsys_embed.semantic_ids import Codebooks
from recsys_embed.semantic_ids.content import TextVectors
from recsys_embed.semantic_ids.grams import Tokens
from recsys_embed.semantic_ids.piece_training import train_pieces
from recsys_embed.semantic_ids.residual_kmeans import ResidualKMeans
from training.learned.items import described
from training.learned.log import TrainingLog


@dataclass(frozen=True)
class LearnedSemanticId:
    """Gives the items of a table rows by the words of a column.

    Words and codebooks are learned from the items of the train part; items that come later in the
    log have their ID from their text alone, as in serving.

    Args:
        text: a column of the events, string.
        rows: of the table, those that memorize included.
        tokens: "unigram", "ngram", "prefix" or "pieces".
        ngram: codes of an n-gram.
        memorize_rows: rows in which each id has one of its own by hashing, beside its tokens.
        quantizer: "residual_kmeans" or "rq_vae".
        levels: codes of an item.
        codes: values a code has.
        dim: of the text's vectors.
        seed: of everything random.
    """

    kind: ClassVar[str] = "semantic_id"
    text: str
    rows: int
    tokens: Tokens = "prefix"
    ngram: int = 2
    memorize_rows: int = 0
    quantizer: Literal["residual_kmeans", "rq_vae"] = "residual_kmeans"
    levels: int = 3
    codes: int = 256
    dim: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.memorize_rows < self.rows:
            raise ConfigError(
                f"{self.kind} needs 0 <= memorize_rows < rows, got {self.memorize_rows} and"
                f" {self.rows}"
            )

    def learn(self, log: TrainingLog, table: str) -> SemanticId:
        """Learns vectors, codebooks and pieces of the table's first feature."""
        items = described(log, log.features_of[table][0], self.text)
        encoder = TextVectors.fit(items.taught, self.dim)
        contents = encoder(items.texts)
        codebooks = self._codebooks(contents[items.shown > 0])
        given = codebooks.encode(contents)
        rows, pieces = self.rows - self.memorize_rows, None
        if self.tokens == "pieces":
            pieces = train_pieces(given, items.shown, rows, self.codes)
        return SemanticId.of(
            items.ids,
            given,
            codebooks,
            rows=self.rows,
            pieces=pieces,
            tokens=self.tokens,
            ngram=self.ngram,
            memorize_rows=self.memorize_rows,
            seed=self.seed,
        )

    def _codebooks(self, contents: NDArray[np.float32]) -> Codebooks:
        if self.quantizer == "rq_vae":
            from recsys_embed.nn.rq_vae import RQVAE

            return RQVAE(levels=self.levels, codes=self.codes, seed=self.seed).fit(contents)
        return ResidualKMeans(levels=self.levels, codes=self.codes, seed=self.seed).fit(contents)
