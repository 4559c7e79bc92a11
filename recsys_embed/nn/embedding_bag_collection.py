"""TorchRec's EmbeddingBagCollection over collisionless tables."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torchrec.modules.embedding_configs import EmbeddingBagConfig, pooling_type_to_str
from torchrec.modules.embedding_modules import (
    EmbeddingBagCollectionInterface,
    get_embedding_names_by_table,
)
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor, KeyedTensor
from torchrec.sparse.tensor_dict import maybe_td_to_kjt

from recsys_embed.nn.bags import Bags, Place, bags_of, of_place, of_places, places_of
from recsys_embed.nn.fused import PooledStep, SequenceCall, SequenceStep
from recsys_embed.nn.module import TableModule
from recsys_embed.nn.table_configs import table_configs, with_feature_names
from recsys_embed.nn.weighted import each, feature_offsets, joined, lone_bags, weighted_pool
from recsys_embed.optimizers import Optimizer, RowwiseAdagrad
from recsys_embed.rules import FeatureRule
from recsys_embed.table_arguments import Mode
from recsys_embed.table_group import Member, Rate
from recsys_embed.tables_in_turn import make_group


class EmbeddingBagCollection(TableModule, EmbeddingBagCollectionInterface):  # type: ignore[misc]  # torchrec ships no types
    """Pools each feature's bags, as `torchrec.EmbeddingBagCollection` does: same keys, same order.

    Ids are any int64; `num_embeddings` of a config only sets its initial bounds. Backward applies
    the optimizer, one step for each distinct id of a table, whichever features it came from.
    Weights that require a gradient get one.

    Args:
        tables: TorchRec configs; not changed.
        is_weighted: whether the weights of a batch multiply its vectors.
        device: where results go; None: where the ids came from.
        optimizer: of every table whose options name no other.
        lr: the learning rate; a rate for each segment; or either by table name.
        rules: admission and expiry by feature.
        table_options: further fields of `TableConfig`, `optimizer` and `initializer`, by table.
        seed: of the initial values.
        missing: what an id without a row reads as; see `TableModule`.

    Raises:
        ConfigError: for configs that contradict themselves or ask for what is not offered.

    Example:
        >>> import torch
        >>> from torchrec import EmbeddingBagConfig, KeyedJaggedTensor
        >>> collection = EmbeddingBagCollection(
        ...     tables=[EmbeddingBagConfig(num_embeddings=1000, embedding_dim=4,
        ...                                name="items", feature_names=["clicked", "bought"])])
        >>> batch = KeyedJaggedTensor(
        ...     keys=["clicked", "bought"], values=torch.tensor([7, -1, 2**62]),
        ...     lengths=torch.tensor([2, 0, 1, 0]))
        >>> pooled = collection(batch)
        >>> pooled.keys(), tuple(pooled.values().shape), len(collection.tables["items"])
        (['clicked', 'bought'], (2, 8), 3)
    """

    def __init__(
        self,
        tables: Sequence[EmbeddingBagConfig],
        is_weighted: bool = False,
        device: torch.device | str | None = None,
        *,
        optimizer: Optimizer | None = None,
        lr: Rate | Mapping[str, Rate] = 0.01,
        rules: Mapping[str, FeatureRule] | None = None,
        table_options: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int = 0,
        missing: Any = "initial",
    ) -> None:
        named = with_feature_names(tables)
        configs = table_configs(
            named,
            optimizer=optimizer or RowwiseAdagrad(),
            rules=rules,
            options=table_options,
            seed=seed,
        )
        super().__init__(configs, lr=lr, missing=missing, device=device)
        self._configs, self._is_weighted = named, is_weighted
        self._modes: dict[str, Mode] = {t.name: pooling_type_to_str(t.pooling) for t in named}
        self._features = [(t.name, tuple(t.feature_names)) for t in named]
        self._names = [n for names in get_embedding_names_by_table(named) for n in names]
        self._dims = [
            config.vector_dim(feature.name) for config in configs for feature in config.features
        ]
        self._tables_changed()
        self._places: dict[tuple[str, ...], list[Place]] = {}

    def forward(self, features: KeyedJaggedTensor) -> KeyedTensor:
        """Gives (B, D) values, D the sum of the dimensions over all features.

        Raises:
            InputError: when the batch lacks a feature or its weights.
        """
        batch = maybe_td_to_kjt(features, None)
        bags, places = bags_of(batch, self._is_weighted), self._places_in(batch)
        weights = batch.weights_or_none() if self._is_weighted else None
        if weights is not None and weights.requires_grad and torch.is_grad_enabled():
            values = self._pooled_with_weight_gradient(bags, places, batch)
        else:
            values = self._pooled(bags, places, batch)
        return KeyedTensor(keys=self._names, length_per_key=self._dims, values=values)

    def embedding_bag_configs(self) -> list[EmbeddingBagConfig]:
        """Gives the configs of the tables, feature names filled in."""
        return self._configs

    def is_weighted(self) -> bool:
        """Says whether batches carry weights."""
        return self._is_weighted

    def _places_in(self, batch: KeyedJaggedTensor) -> list[Place]:
        keys = tuple(batch.keys())
        if keys not in self._places:
            self._places[keys] = places_of(keys, self._features)
        return self._places[keys]

    def _pooled(self, bags: Bags, places: list[Place], batch: KeyedJaggedTensor) -> torch.Tensor:
        num_bags = batch.stride()
        ordered, starts = of_places(bags, places, num_bags)
        step = PooledStep(self, self._group, ordered, starts, num_bags)
        return self._run(step, batch.device())

    def _tables_changed(self) -> None:
        self._group = make_group(
            [
                Member(self._tables[name], range(len(features)), self._modes[name])
                for name, features in self._features
            ]
        )

    def _pooled_with_weight_gradient(
        self, bags: Bags, places: list[Place], batch: KeyedJaggedTensor
    ) -> torch.Tensor:
        num_bags, starts = batch.stride(), feature_offsets(bags, len(batch.keys()))
        parts = []
        for place in places:
            own = of_place(bags, place, num_bags)
            weights = joined(batch.weights(), starts, place.positions)
            parts += self._weighted(place, own, weights, batch.device())
        return torch.cat(parts, dim=1)

    def _weighted(
        self, place: Place, bags: Bags, weights: torch.Tensor, device: torch.device
    ) -> list[torch.Tensor]:
        count, mode = len(place.positions), self._modes[place.table]
        config = self._tables[place.table].config
        widths = [config.vector_dim(feature.name) for feature in config.features]
        if len(set(widths)) == 1:
            vectors = self._run(self._sequence_step(place, bags), device)
            return [weighted_pool(vectors, weights, bags, mode, count)]
        columns = torch.split(self._run(self._lone_step(place, bags), device), widths, dim=1)
        starts, parts = feature_offsets(bags, count), []
        for own, column, (a, b) in zip(each(bags, count), columns, pairwise(starts), strict=True):
            parts.append(weighted_pool(column[: b - a], weights[a:b], own, mode, 1))
        return parts

    def _lone_step(self, place: Place, bags: Bags) -> PooledStep:
        """Reads each id as a bag of its own: features whose vectors differ in width are pooled."""
        lone, num_bags = lone_bags(bags, len(place.positions))
        group = make_group([Member(self._tables[place.table], range(len(place.positions)), "sum")])
        return PooledStep(self, group, lone, np.zeros(1, np.int64), num_bags)

    def _sequence_step(self, place: Place, bags: Bags) -> SequenceStep:
        count = len(place.positions)
        table, offsets = self._tables[place.table], feature_offsets(bags, count)
        return SequenceStep(
            self, [SequenceCall(table, bags.ids, range(count), offsets, slice(0, len(bags.ids)))]
        )
