"""Semantic IDs: codes of item contents, alike for near contents, and what is made of them.

`piece_training` (sentencepiece), `plots` (matplotlib) and `files` are modules of their own; the
RQ-VAE is in `recsys_embed.nn.rq_vae`.
"""

from recsys_embed.semantic_ids.codebooks import Codebooks
from recsys_embed.semantic_ids.content import TextEncoder, TextVectors
from recsys_embed.semantic_ids.health import Health, measure_health
from recsys_embed.semantic_ids.pieces import Pieces
from recsys_embed.semantic_ids.prefixes import PrefixIndex, SharedPrefix, shared_prefixes
from recsys_embed.semantic_ids.residual_kmeans import ResidualKMeans

__all__ = [
    "Codebooks",
    "Health",
    "Pieces",
    "PrefixIndex",
    "ResidualKMeans",
    "SharedPrefix",
    "TextEncoder",
    "TextVectors",
    "measure_health",
    "shared_prefixes",
]
