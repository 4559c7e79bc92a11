"""TorchRec's EmbeddingCollection over collisionless tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchrec.modules.embedding_configs import EmbeddingConfig
from torchrec.modules.embedding_modules import (
    EmbeddingCollectionInterface,
    get_embedding_names_by_table,
)
from torchrec.sparse.jagged_tensor import JaggedTensor, KeyedJaggedTensor
from torchrec.sparse.tensor_dict import maybe_td_to_kjt

from recsys_embed.errors import ConfigError
from recsys_embed.nn.bags import Place, int64s, places_of
from recsys_embed.nn.fused import SequenceCall, SequenceStep
from recsys_embed.nn.module import TableModule
from recsys_embed.nn.table_configs import table_configs, with_feature_names
from recsys_embed.optimizers import Optimizer, RowwiseAdagrad
from recsys_embed.rules import FeatureRule
from recsys_embed.table_group import Rate


class EmbeddingCollection(TableModule, EmbeddingCollectionInterface):  # type: ignore[misc]  # torchrec ships no types
    """Gives each id its vector, as `torchrec.EmbeddingCollection` does: same keys, same order.

    Args:
        tables: TorchRec configs of one embedding_dim; not changed.
        device: where results go; None: where the ids came from.
        need_indices: whether each result carries its ids as `weights`, as TorchRec's does.
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
        >>> from torchrec import EmbeddingConfig, KeyedJaggedTensor
        >>> collection = EmbeddingCollection(
        ...     tables=[EmbeddingConfig(num_embeddings=1000, embedding_dim=4, name="items",
        ...                             feature_names=["history"])])
        >>> batch = KeyedJaggedTensor(
        ...     keys=["history"], values=torch.tensor([7, -1, 2**62]), lengths=torch.tensor([2, 1]))
        >>> tuple(collection(batch)["history"].values().shape)
        (3, 4)
    """

    def __init__(
        self,
        tables: Sequence[EmbeddingConfig],
        device: torch.device | str | None = None,
        need_indices: bool = False,
        *,
        optimizer: Optimizer | None = None,
        lr: Rate | Mapping[str, Rate] = 0.01,
        rules: Mapping[str, FeatureRule] | None = None,
        table_options: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int = 0,
        missing: Any = "initial",
    ) -> None:
        named = with_feature_names(tables)
        if len(dims := {t.embedding_dim for t in named}) > 1:
            raise ConfigError(
                f"tables of an EmbeddingCollection need one embedding_dim, got {sorted(dims)}"
            )
        configs = table_configs(
            named,
            optimizer=optimizer or RowwiseAdagrad(),
            rules=rules,
            options=table_options,
            seed=seed,
        )
        widths = {f.name: c.vector_dim(f.name) for c in configs for f in c.features}
        if len(set(widths.values())) > 1:
            raise ConfigError(f"features of an EmbeddingCollection need one width, got {widths}")
        super().__init__(configs, lr=lr, missing=missing, device=device)
        self._configs, self._need_indices = named, need_indices
        self._features = [(t.name, tuple(t.feature_names)) for t in named]
        self._names: list[list[str]] = get_embedding_names_by_table(named)
        self._flat_names = [name for of_table in self._names for name in of_table]

    def forward(self, features: KeyedJaggedTensor) -> dict[str, JaggedTensor]:
        """Gives for each key the vectors (N, D) of its ids with the lengths of its bags.

        Raises:
            InputError: when the batch lacks a feature.
        """
        batch = maybe_td_to_kjt(features, None)
        places = places_of(batch.keys(), self._features)
        calls = self._calls(batch, places)
        vectors = self._run(SequenceStep(self, calls), batch.device())
        sizes = [n for call in calls for n in np.diff(call.feature_offsets).tolist()]
        sources = [p for place in places for p in place.positions]
        ids, of_ids = batch.values(), batch.offset_per_key()
        lengths, of_lengths = batch.lengths(), batch.lengths_offset_per_key()
        return {
            name: JaggedTensor(
                values=part,
                lengths=lengths[of_lengths[p] : of_lengths[p + 1]],
                weights=ids[of_ids[p] : of_ids[p + 1]] if self._need_indices else None,
            )
            for name, p, part in zip(
                self._flat_names, sources, torch.split(vectors, sizes), strict=True
            )
        }

    def embedding_configs(self) -> list[EmbeddingConfig]:
        """Gives the configs of the tables, feature names filled in."""
        return self._configs

    def embedding_dim(self) -> int:
        """Gives the dimension of every table."""
        return int(self._configs[0].embedding_dim)

    def need_indices(self) -> bool:
        """Says whether each result carries its ids."""
        return self._need_indices

    def embedding_names_by_table(self) -> list[list[str]]:
        """Gives the keys of the result, table by table."""
        return self._names

    def _calls(self, batch: KeyedJaggedTensor, places: list[Place]) -> list[SequenceCall]:
        ids, starts = int64s(batch.values()), batch.offset_per_key()
        calls, end = [], 0
        for place in places:
            spans = [(starts[p], starts[p + 1]) for p in place.positions]
            offsets = np.cumsum([0, *(stop - start for start, stop in spans)])
            if place.is_slice:
                own = ids[spans[0][0] : spans[-1][1]]
            else:
                own = np.concatenate([ids[start:stop] for start, stop in spans])
            span = slice(end, end + len(own))
            end = span.stop
            table = self._tables[place.table]
            calls.append(SequenceCall(table, own, range(len(spans)), offsets, span))
        return calls
