"""The whole model: the tables of a config, and its network after them."""

from typing import Any

import torch
from torch import Tensor, nn
from torchrec import EmbeddingBagConfig, PoolingType

from recsys_embed import Constant, FeatureRule, Segment
from recsys_embed.nn import EmbeddingBagCollection
from training.batches import Batch
from training.config import RunConfig, Table
from training.models import Inputs, Shape

POOLING = {"sum": PoolingType.SUM, "mean": PoolingType.MEAN}


class Recommender(nn.Module):
    """Predicts the log-odds of label 1. The tables train inside backward, `net` by its optimizer.

    Where a table is wide, column 0 of its rows is the first-order weight and the vector follows.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        grouped = config.features_of
        self.features = [feature for group in grouped.values() for feature in group]
        self._firsts = [int(config.is_wide(config.table_of(f))) for f in self.features]
        self._dims = [config.tables[config.table_of(f)].dim for f in self.features]
        self.collection = make_collection(config)
        deep = tuple(dim for dim in self._dims if dim)
        self.net = config.model.build(Shape(len(config.dense.columns), deep, sum(self._firsts)))

    def forward(self, batch: Batch) -> Tensor:
        """Returns the log-odds, (B,)."""
        self.collection.set_time(batch.time)
        pooled = self.collection(batch.bags).values()
        widths = [width for pair in zip(self._firsts, self._dims, strict=True) for width in pair]
        columns = torch.split(pooled, widths, dim=1)
        firsts, vectors = torch.cat(columns[::2], dim=1), [c for c in columns[1::2] if c.shape[1]]
        return self.net(Inputs(batch.dense, vectors, firsts))


def make_collection(config: RunConfig) -> EmbeddingBagCollection:
    """Builds the tables that a config describes."""
    grouped = config.features_of
    described = [
        EmbeddingBagConfig(
            name=name,
            num_embeddings=1,  # collisionless tables grow; the initializer is given in the options
            embedding_dim=config.tables[name].dim + config.is_wide(name),
            feature_names=features,
            pooling=POOLING[config.tables[name].pooling],
        )
        for name, features in grouped.items()
    ]
    return EmbeddingBagCollection(
        described,
        is_weighted=any(feature.weights for feature in config.features.values()),
        lr={name: _rates(config.tables[name], config.is_wide(name)) for name in grouped},
        rules={n: FeatureRule(n, f.threshold, f.ttl_s) for n, f in config.features.items()},
        table_options={
            name: _options(config.tables[name], config.is_wide(name)) for name in grouped
        },
        seed=config.seed,
        missing=config.train.missing,
    )


def _options(table: Table, is_wide: bool) -> dict[str, Any]:
    first = [Segment(1, table.wide_optimizer, Constant(0.0))] if is_wide else []
    vector = [Segment(table.dim, table.optimizer, table.initializer)] if table.dim else []
    return {
        "segments": (*first, *vector),
        "row_map": table.row_map,
        "admission": table.admission,
        "budget": table.budget,
        # The loop looks for expired rows itself, all at once: which rows a bounded sweep has
        # reached depends on where they lie, and that does not survive a restore.
        "sweep_rows": 0,
    }


def _rates(table: Table, is_wide: bool) -> list[float]:
    return [table.wide_lr] * is_wide + [table.lr] * (table.dim > 0)
