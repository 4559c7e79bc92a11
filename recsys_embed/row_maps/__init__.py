"""How an id becomes its rows; docs/architecture.md compares the ways."""

from recsys_embed.row_maps.clustered import DoubleGraphHash, GraphHash
from recsys_embed.row_maps.collisionless import Collisionless
from recsys_embed.row_maps.frequency import DoubleFrequency, Frequency
from recsys_embed.row_maps.hash_embedding import HashEmbedding
from recsys_embed.row_maps.hashed import Bloom, Hashed
from recsys_embed.row_maps.learned import Learned
from recsys_embed.row_maps.multiplexed import MultiChunk, Multiplexed
from recsys_embed.row_maps.protocol import RowIds, RowMap
from recsys_embed.row_maps.quotient_remainder import QuotientRemainder
from recsys_embed.row_maps.semantic_id import SemanticId

RowMapConfig = (
    Collisionless
    | Hashed
    | Bloom
    | Frequency
    | DoubleFrequency
    | QuotientRemainder
    | HashEmbedding
    | MultiChunk
    | Multiplexed
    | GraphHash
    | DoubleGraphHash
    | SemanticId
)

__all__ = [
    "Bloom",
    "Collisionless",
    "DoubleFrequency",
    "DoubleGraphHash",
    "Frequency",
    "GraphHash",
    "HashEmbedding",
    "Hashed",
    "Learned",
    "MultiChunk",
    "Multiplexed",
    "QuotientRemainder",
    "RowIds",
    "RowMap",
    "RowMapConfig",
    "SemanticId",
]
