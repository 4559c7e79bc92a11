"""Batches and pairs of (ours, TorchRec's) with the same weights, for the tests below."""

from typing import Any

import numpy as np
import torch
import torchrec
from torchrec import EmbeddingBagConfig, EmbeddingConfig, KeyedJaggedTensor, PoolingType

from recsys_embed.nn import EmbeddingBagCollection, EmbeddingCollection

ROWS = 40

BAG_TABLES = [
    EmbeddingBagConfig(
        name="goods", embedding_dim=6, num_embeddings=ROWS, feature_names=["seen", "bought"]
    ),
    EmbeddingBagConfig(
        name="users",
        embedding_dim=3,
        num_embeddings=ROWS,
        feature_names=["user"],
        pooling=PoolingType.MEAN,
    ),
    EmbeddingBagConfig(
        name="shops", embedding_dim=1, num_embeddings=ROWS, feature_names=["shop", "user"]
    ),
]
TABLES = [
    EmbeddingConfig(
        name="goods", embedding_dim=4, num_embeddings=ROWS, feature_names=["seen", "bought"]
    ),
    EmbeddingConfig(
        name="users", embedding_dim=4, num_embeddings=ROWS, feature_names=["user", "shop"]
    ),
    EmbeddingConfig(name="shops", embedding_dim=4, num_embeddings=ROWS, feature_names=["shop"]),
]
KEYS = ["seen", "bought", "unused", "user", "shop"]
SCATTERED_KEYS = ["bought", "user", "unused", "seen", "shop"]


def batch_of(
    rng: np.random.Generator,
    keys: list[str],
    num_bags: int,
    *,
    is_weighted: bool = False,
    longest: int = 4,
    by: str = "lengths",
    dtype: torch.dtype = torch.int64,
) -> KeyedJaggedTensor:
    """Draws bags of 0 to `longest` ids below ROWS."""
    lengths = torch.from_numpy(rng.integers(0, longest + 1, len(keys) * num_bags)).to(dtype)
    total = int(lengths.sum())
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0).to(dtype)])
    bounds: dict[str, Any] = {"lengths": lengths} if by == "lengths" else {"offsets": offsets}
    return KeyedJaggedTensor(
        keys=keys,
        values=torch.from_numpy(rng.integers(0, ROWS, total)),
        weights=torch.from_numpy(rng.normal(size=total).astype(np.float32))
        if is_weighted
        else None,
        **bounds,
    )


def bag_pair(is_weighted: bool = False, **options: Any) -> tuple[EmbeddingBagCollection, Any]:
    """Gives our collection and TorchRec's over BAG_TABLES with the same weights."""
    theirs = torchrec.EmbeddingBagCollection(tables=BAG_TABLES, is_weighted=is_weighted)
    ours = EmbeddingBagCollection(tables=BAG_TABLES, is_weighted=is_weighted, **options)
    for name, bag in theirs.embedding_bags.items():
        ours.tables[name].assign(torch.arange(ROWS), bag.weight.detach())
    return ours, theirs


def pair(**options: Any) -> tuple[EmbeddingCollection, Any]:
    """Gives our collection and TorchRec's over TABLES with the same weights."""
    theirs = torchrec.EmbeddingCollection(
        tables=TABLES, need_indices=options.get("need_indices", False)
    )
    ours = EmbeddingCollection(tables=TABLES, **options)
    for name, embedding in theirs.embeddings.items():
        ours.tables[name].assign(torch.arange(ROWS), embedding.weight.detach())
    return ours, theirs


def weights_of(collection: Any, table: str) -> torch.Tensor:
    """Reads the first ROWS rows of one of our tables."""
    return torch.from_numpy(collection.tables[table].lookup(np.arange(ROWS)))
