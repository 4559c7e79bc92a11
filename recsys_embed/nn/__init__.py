"""Collisionless tables as `torch.nn` modules with TorchRec's vocabulary."""

import logging

from recsys_embed.nn.embedding_bag import Embedding, EmbeddingBag
from recsys_embed.nn.embedding_bag_collection import EmbeddingBagCollection
from recsys_embed.nn.embedding_collection import EmbeddingCollection
from recsys_embed.nn.saving import load, save, tables_of

# TorchRec asks torch whether it is being traced in a way that torch 2.13 warns of, in every process
# that makes a KeyedTensor; the reader can do nothing about it.
logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)

__all__ = [
    "Embedding",
    "EmbeddingBag",
    "EmbeddingBagCollection",
    "EmbeddingCollection",
    "load",
    "save",
    "tables_of",
]
