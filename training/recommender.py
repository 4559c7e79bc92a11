"""The whole model: the tables of a config, and its network after them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchrec import EmbeddingBagConfig, PoolingType

from recsys_embed import Constant, FeatureRule, Segment
from recsys_embed.errors import ConfigError
from recsys_embed.nn import EmbeddingBagCollection
from recsys_embed.row_maps import RowMapConfig
from recsys_embed.table_arguments import Missing
from training.batches import Batch
from training.described import Described, Table
from training.models import Inputs, Shape

POOLING = {"sum": PoolingType.SUM, "mean": PoolingType.MEAN}


class Recommender(nn.Module):
    """Predicts the log-odds of label 1. The tables train inside backward, `net` by its optimizer.

    Where a table is wide, column 0 of its rows is the first-order weight and the vector follows.
    """

    def __init__(
        self,
        config: Described,
        row_maps: Mapping[str, RowMapConfig],
        missing: Missing = "zeros",
    ) -> None:
        super().__init__()
        grouped = config.features_of
        self.features = [feature for group in grouped.values() for feature in group]
        self.collection = make_collection(config, row_maps, missing)
        self.columns = [Columns.of(config, row_maps, feature) for feature in self.features]
        self.num_dense = config.num_dense
        deep = tuple(c.dim * c.chunks for c in self.columns if c.dim)
        firsts = sum(c.is_wide for c in self.columns)
        self.net = config.model.build(Shape(self.num_dense, deep, firsts))

    def forward(self, batch: Batch) -> Tensor:
        """Returns the log-odds, (B,)."""
        self.collection.set_time(batch.time)
        pooled = self.collection(batch.bags).values()
        parts = torch.split(pooled, [c.width for c in self.columns], dim=1)
        read = [c.read(part) for c, part in zip(self.columns, parts, strict=True)]
        firsts = torch.cat([first for first, _ in read], dim=1)
        return self.net(Inputs(batch.dense, [v for _, v in read if v.shape[1]], firsts))


class Columns(NamedTuple):
    """What a feature's columns are: in each of its chunks a first-order weight, then a vector."""

    is_wide: int
    dim: int
    chunks: int

    @classmethod
    def of(cls, config: Described, row_maps: Mapping[str, RowMapConfig], feature: str) -> "Columns":
        """Gives those of a feature."""
        table = config.table_of(feature)
        row_map = row_maps[table]
        dim = config.tables[table].dim // row_map.chunks("")
        return cls(int(config.is_wide(table)), dim, row_map.chunks(feature))

    @property
    def width(self) -> int:
        """All of them."""
        return self.chunks * (self.is_wide + self.dim)

    def read(self, columns: Tensor) -> tuple[Tensor, Tensor]:  # (B, width) -> (B, 0 or 1), (B, D)
        """Adds up the chunks' first-order weights, and puts their vectors side by side."""
        chunks = columns.view(len(columns), self.chunks, -1)
        first = chunks[:, :, : self.is_wide].sum(1)
        return first, chunks[:, :, self.is_wide :].reshape(len(columns), -1)


def make_collection(
    config: Described, row_maps: Mapping[str, RowMapConfig], missing: Missing = "zeros"
) -> EmbeddingBagCollection:
    """Builds the tables that a config describes, with these row maps.

    Raises:
        ConfigError: for a dim that does not divide among the chunks of a row map.
    """
    grouped = config.features_of
    firsts = {name: config.is_wide(name) * row_maps[name].chunks("") for name in grouped}
    described = [
        EmbeddingBagConfig(
            name=name,
            num_embeddings=1,  # collisionless tables grow; the initializer is given in the options
            embedding_dim=config.tables[name].dim + firsts[name],
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
            name: _options(config.tables[name], config.is_wide(name), row_maps[name])
            for name in grouped
        },
        seed=config.seed,
        missing=missing,
    )


def _options(table: Table, is_wide: bool, row_map: RowMapConfig) -> dict[str, Any]:
    chunks = row_map.chunks("")
    if table.dim % chunks:
        raise ConfigError(
            f"a {row_map.kind} row map puts {chunks} chunks side by side, so that dim must be a"
            f" multiple of {chunks}, got {table.dim}"
        )
    first = [Segment(1, table.wide_optimizer, Constant(0.0))] if is_wide else []
    vector = [Segment(table.dim // chunks, table.optimizer, table.initializer)] if table.dim else []
    return {
        "segments": (*first, *vector),
        "row_map": row_map,
        "admission": table.admission,
        "budget": table.budget,
        # The loop looks for expired rows itself, all at once: which rows a bounded sweep has
        # reached depends on where they lie, and that does not survive a restore.
        "sweep_rows": 0,
    }


def _rates(table: Table, is_wide: bool) -> list[float]:
    return [table.wide_lr] * is_wide + [table.lr] * (table.dim > 0)
