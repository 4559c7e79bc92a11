"""Row maps of every kind, small enough that all their rows are soon met."""

from typing import Any

import numpy as np

from recsys_embed.row_maps import (
    Bloom,
    Collisionless,
    DoubleFrequency,
    DoubleGraphHash,
    Frequency,
    GraphHash,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
    SemanticId,
)
from recsys_embed.semantic_ids.codebooks import Codebooks
from recsys_embed.semantic_ids.pieces import Pieces

DIM = 4
FEATURES = ("user", "item")
LEVELS, CODES = 3, 4
KNOWN = np.array([3, 10, -7, 2**63 - 1, -(2**63), 0, 41, 42, 43, 44, 45, 46], np.int64)
INT64 = np.iinfo(np.int64)
EXTREMES = (0, 1, -1, 2, INT64.min, INT64.max, INT64.min + 1, INT64.max - 1, 2**32, -(2**32))


def codebooks() -> Codebooks:
    """L levels of K codes that no two contents below mix up."""
    codes = np.arange(CODES, dtype=np.float32)
    return Codebooks(np.stack([codes * 16, codes * 4, codes])[:, :, None])


def contents(number: int = len(KNOWN)) -> Any:
    """Contents (number, 1) whose semantic IDs differ."""
    return (np.arange(number, dtype=np.float32) * 5 % 64)[:, None]


def pieces() -> Pieces:
    """Every single code, and some runs that are likelier."""
    singles = np.full((LEVELS * CODES, LEVELS), -1)
    for place in range(len(singles)):
        singles[place, place // CODES] = place % CODES
    runs = [[0, 0, -1], [-1, 1, 1], [2, 2, 2]]
    scores = [-3.0] * len(singles) + [-2.0, -2.5, -1.0]
    return Pieces(np.concatenate([singles, runs]), np.array(scores))


def semantic_id(tokens: str, rows: int, **fields: Any) -> SemanticId:
    """A map of the known ids by their contents."""
    books = codebooks()
    own = {"pieces": pieces()} if tokens == "pieces" else {}
    codes = books.encode(contents())
    return SemanticId.of(KNOWN, codes, books, rows=rows, tokens=tokens, **own, **fields)


CLUSTERS = np.arange(len(KNOWN)) % 5
ROW_MAPS: dict[str, Any] = {
    "collisionless": Collisionless(),
    "hashed": Hashed(rows=11, seed=3),
    "hashed_1_row": Hashed(rows=1),
    "bloom": Bloom(rows=11, hashes=3, seed=3),
    "double_hash": Bloom(rows=11),
    "frequency": Frequency.of(KNOWN, rows=11),
    "double_frequency": DoubleFrequency.of(KNOWN, rows=11, share=0.25, seed=5),
    "quotient_remainder_product": QuotientRemainder(rows=20, cardinality=100),
    "quotient_remainder_sum": QuotientRemainder(rows=20, cardinality=100, operation="sum"),
    "hash_embedding": HashEmbedding(rows=7, importance=9, dim=DIM),
    "hash_embedding_3": HashEmbedding(rows=7, importance=5, dim=DIM, hashes=3, seed=2),
    "multi_chunk": MultiChunk(rows=11, lookups=3),
    "multiplexed": Multiplexed(rows=6, tables=2, lookups=2, features=FEATURES),
    "multiplexed_lookups_of": Multiplexed(
        rows=6, tables=2, lookups=1, lookups_of={"item": 3}, features=FEATURES
    ),
    "multiplexed_collisionless": Multiplexed(lookups=2, features=FEATURES, seed=1),
    "graphhash": GraphHash.of(KNOWN, CLUSTERS, seed=1),
    "double_graphhash": DoubleGraphHash.of(KNOWN, CLUSTERS),
    "semantic_id_unigram": semantic_id("unigram", rows=12),
    "semantic_id_ngram": semantic_id("ngram", rows=13),
    "semantic_id_prefix": semantic_id("prefix", rows=29),
    "semantic_id_pieces": semantic_id("pieces", rows=15),
    "semantic_id_memorizing": semantic_id("prefix", rows=35, memorize_rows=6),
    "semantic_id_pieces_memorizing": semantic_id("pieces", rows=20, memorize_rows=5),
}
LEARNED = [name for name, row_map in ROW_MAPS.items() if hasattr(row_map, "arrays")]
