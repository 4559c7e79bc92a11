"""Collisionless tables as `torch.nn` modules with TorchRec's vocabulary."""

from recsys_embed.nn.embedding_bag import Embedding, EmbeddingBag
from recsys_embed.nn.embedding_bag_collection import EmbeddingBagCollection
from recsys_embed.nn.embedding_collection import EmbeddingCollection
from recsys_embed.nn.saving import load, save, tables_of

__all__ = [
    "Embedding",
    "EmbeddingBag",
    "EmbeddingBagCollection",
    "EmbeddingCollection",
    "load",
    "save",
    "tables_of",
]
