"""A table for every row map, each trained on some ids of two features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import TableConfig
from recsys_embed.mapped_table import make_table
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
from recsys_embed.rules import FeatureRule
from recsys_embed.semantic_ids import Codebooks, Pieces
from recsys_embed.table import CollisionlessTable
from tests.serving.planted import GREATEST, LEAST

DIM = 4
FEATURES = ("user", "item")
SEEN = np.array([LEAST, GREATEST, -1, 0, 2**53 + 1, *range(100, 125)])
UNSEEN = np.array([-2, 1, 99, 2**62, LEAST + 1, *range(1000, 1010)])
LEVELS, CODES, WIDTH = 3, 4, 5

_rng = np.random.default_rng(8)
# what is learned of items covers more than training looks up: some of UNSEEN have semantic IDs
ITEMS = np.concatenate([SEEN, UNSEEN[:8]])
CONTENTS = _rng.standard_normal((len(ITEMS), WIDTH)).astype(np.float32)
_scale = 0.5 ** np.arange(LEVELS)[:, None, None]
CODEBOOKS = Codebooks((_rng.standard_normal((LEVELS, CODES, WIDTH)) * _scale).astype(np.float32))
SEMANTIC_IDS = CODEBOOKS.encode(CONTENTS)


def some_pieces() -> Pieces:
    """Every code alone, and the first two codes of the first items as one piece."""
    singles = np.full((LEVELS * CODES, LEVELS), -1)
    singles[np.arange(LEVELS * CODES), np.arange(LEVELS * CODES) // CODES] = np.tile(
        np.arange(CODES), LEVELS
    )
    pairs = np.unique(SEMANTIC_IDS[:9, :2], axis=0)
    runs = np.concatenate([pairs, np.full((len(pairs), LEVELS - 2), -1)], axis=1)
    return Pieces(np.concatenate([singles, runs]), [-3.0] * len(singles) + [-1.0] * len(runs))


def semantic(**fields: Any) -> SemanticId:
    return SemanticId.of(ITEMS, SEMANTIC_IDS, CODEBOOKS, **{"rows": 300, **fields})


CLUSTERS = np.arange(len(SEEN)) % 7
ROW_MAPS: dict[str, Any] = {
    "collisionless": Collisionless(),
    "hashed": Hashed(rows=50),
    "bloom": Bloom(rows=60, hashes=3),
    "frequency": Frequency.of(SEEN, rows=40),
    "double_frequency": DoubleFrequency.of(SEEN, rows=60),
    "quotient_remainder_sum": QuotientRemainder(rows=70, cardinality=1000, operation="sum"),
    "quotient_remainder_product": QuotientRemainder(rows=70, cardinality=1000),
    "hash_embedding": HashEmbedding(rows=60, importance=80),
    "multi_chunk": MultiChunk(rows=90, lookups=3),
    "multiplexed": Multiplexed(rows=50, tables=2, lookups=2, lookups_of={"item": 3}),
    "multiplexed_collisionless": Multiplexed(lookups_of={"item": 2}),
    "graphhash": GraphHash.of(SEEN, CLUSTERS),
    "double_graphhash": DoubleGraphHash.of(SEEN, CLUSTERS),
    "semantic_unigram": semantic(tokens="unigram"),
    "semantic_ngram": semantic(tokens="ngram"),
    "semantic_prefix": semantic(tokens="prefix"),
    "semantic_pieces": semantic(tokens="pieces", pieces=some_pieces()),
    "semantic_memorizing": semantic(tokens="prefix", memorize_rows=100),
}


def trained(name: str) -> CollisionlessTable:
    """The table behind that row map after a few steps for each feature."""
    features = tuple(FeatureRule(feature) for feature in FEATURES)
    table = make_table(TableConfig.of(name, DIM, features=features, row_map=ROW_MAPS[name]))
    rng = np.random.default_rng(3)
    for step in range(6):
        feature = FEATURES[step % 2]
        ids = rng.choice(SEEN, 25)
        answer = table.train_lookup(ids, feature=feature)
        grads = rng.standard_normal(answer.values.shape).astype(np.float32)
        table.apply_gradients(answer.rows, grads, lr=0.1)
    return table


def vectors(
    table: CollisionlessTable, ids: NDArray[np.int64], feature: str, missing: Any
) -> NDArray[np.float32]:
    """What the trained table reads."""
    own = {} if table.config.row_map.kind == "collisionless" else {"feature": feature}
    return table.lookup(ids, missing=missing, **own)


def held(table: CollisionlessTable, ids: NDArray[np.int64], feature: str) -> list[bool]:
    """Whether the table holds all rows of an id, id by id."""
    rows = {row for block in table.ids() for row in block.tolist()}
    row_map = table.config.row_map
    return [
        rows.issuperset(row_map.map(ids[i : i + 1], feature).rows.ravel()) for i in range(len(ids))
    ]
