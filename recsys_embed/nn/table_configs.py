"""TorchRec's table descriptions to ours, refusing what a collisionless table does not do."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torchrec.modules.embedding_configs import BaseEmbeddingConfig, DataType

from recsys_embed.config import near
from recsys_embed.errors import ConfigError
from recsys_embed.initializers import Initializer, Uniform
from recsys_embed.optimizers import Optimizer
from recsys_embed.row_maps import Collisionless
from recsys_embed.rules import FeatureRule
from recsys_embed.table_config import Segment, TableConfig

Config = TypeVar("Config", bound=BaseEmbeddingConfig)
OPTIONS = {f.name for f in fields(TableConfig)} - {"name", "features"} | {
    "optimizer",
    "initializer",
}


def with_feature_names(tables: Sequence[Config]) -> list[Config]:
    """Copies the configs; a table without feature names serves the feature of its own name.

    Raises:
        ConfigError: when two tables share a name, or there is none.
    """
    names = [config.name for config in tables]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"a collection needs tables of distinct names, got {names}")
    copies = [copy.copy(config) for config in tables]
    for config in copies:
        config.feature_names = list(config.feature_names) or [config.name]
    return copies


def table_configs(
    tables: Sequence[BaseEmbeddingConfig],
    *,
    optimizer: Optimizer,
    rules: Mapping[str, FeatureRule] | None,
    options: Mapping[str, Mapping[str, Any]] | None,
    seed: int,
) -> list[TableConfig]:
    """Describes each table: its dimension, bounds and features from TorchRec, the rest from us.

    Args:
        tables: TorchRec configs with feature names; `num_embeddings` only sets the initial bounds.
        optimizer: of every table whose options name no other.
        rules: admission and expiry by feature; the others admit at once and never expire.
        options: further fields of `TableConfig`, `optimizer` and `initializer` by table.
        seed: of the initial values.

    Raises:
        ConfigError: for an unknown feature, table or option, and for what is not supported.
    """
    rules, options = rules or {}, options or {}
    _refuse_unknown("rules", rules, {name for t in tables for name in t.feature_names})
    _refuse_unknown("table_options", options, {t.name for t in tables})
    return [_table_config(t, optimizer, rules, options.get(t.name, {}), seed) for t in tables]


def _table_config(
    config: BaseEmbeddingConfig,
    optimizer: Optimizer,
    rules: Mapping[str, FeatureRule],
    options: Mapping[str, Any],
    seed: int,
) -> TableConfig:
    _refuse_unknown(f"table_options of {config.name!r}", options, OPTIONS)
    _refuse_unsupported(config)
    features = [replace(rules.get(f, FeatureRule(f)), name=f) for f in config.feature_names]
    rest = {"seed": seed, "segments": None, **options}
    own = (rest.pop("optimizer", None), rest.pop("initializer", None))
    segments = rest.pop("segments")
    chunks = rest.get("row_map", Collisionless()).chunks("")
    if segments is None:
        segments = (
            Segment(_row_dim(config, chunks), own[0] or optimizer, own[1] or _initializer(config)),
        )
    elif own != (None, None):
        raise ConfigError(
            f"table {config.name!r} has segments, each with its optimizer and initializer;"
            " give those there instead of beside them"
        )
    built = TableConfig(config.name, tuple(segments), tuple(features), **rest)
    if built.dim * chunks != config.embedding_dim:
        raise ConfigError(
            f"segments of table {config.name!r} must sum to its embedding_dim"
            f" {config.embedding_dim}, got {built.dim}"
            + (f" in each of {chunks} chunks" if chunks > 1 else "")
        )
    return built


def _row_dim(config: BaseEmbeddingConfig, chunks: int) -> int:
    if config.embedding_dim % chunks:
        raise ConfigError(
            f"table {config.name!r} has {chunks} chunks side by side, so its embedding_dim must be"
            f" a multiple of {chunks}, got {config.embedding_dim}"
        )
    return int(config.embedding_dim // chunks)


def _initializer(config: BaseEmbeddingConfig) -> Initializer:
    """Takes the uniform bounds; another init_fn fills whole tensors, which no row here ever is."""
    low, high = config.get_weight_init_min(), config.get_weight_init_max()
    fill = config.init_fn
    if not (isinstance(fill, partial) and fill.func is torch.nn.init.uniform_):
        raise ConfigError(
            f"table {config.name!r} has an init_fn, but rows begin one by one as a function of"
            f" (seed, table, id); give table_options={{{config.name!r}: {{'initializer': ...}}}}"
        )
    return Uniform(fill.keywords.get("a", low), fill.keywords.get("b", high))


def _refuse_unsupported(config: BaseEmbeddingConfig) -> None:
    if config.data_type != DataType.FP32:
        raise ConfigError(f"table {config.name!r} must be FP32, got {config.data_type.name}")
    asked = [
        n
        for n in ("need_pos", "num_embeddings_post_pruning", "virtual_table_eviction_policy")
        if getattr(config, n)
    ]
    if asked:
        raise ConfigError(
            f"table {config.name!r} sets {', '.join(asked)}, which a collisionless table does not"
            " offer; admission and expiry are given as `rules`"
        )


def _refuse_unknown(where: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"{where} has no {name!r}; {near(name, sorted(known))}")
