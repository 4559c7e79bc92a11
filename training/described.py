"""What a model is: features, their tables, and the network after them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recsys_embed import FTRL, Admission, Budget, RowwiseAdagrad, Uniform
from recsys_embed.config import near
from recsys_embed.errors import ConfigError
from recsys_embed.initializers import Initializer
from recsys_embed.optimizers import Optimizer
from recsys_embed.row_maps import Collisionless, Multiplexed
from training.features import Dense, Feature
from training.learned import RowMapSource
from training.models import ModelConfig


@dataclass(frozen=True)
class Table:
    """Configures a table; `[table]` says what all start from, `[tables.NAME]` what differs.

    Args:
        dim: of the vectors; 0 leaves the first-order weight alone (models with a wide part).
        pooling: how a bag becomes one vector.
        row_map: "collisionless", or one by which ids share rows, {kind = "hashed", rows = …}; those
            that put chunks side by side share `dim` out among them.
        optimizer: of the vectors.
        lr: its learning rate.
        initializer: of the vectors.
        wide: in a model with a wide part, whether ids here have a first-order weight.
        wide_optimizer: of the first-order weights, which begin at 0. Gradients are of a batch's
            mean loss, so small that FTRL's usual beta of 1 would drown them; here it is 0.
        wide_lr: its learning rate.
        admission: how occurrences are counted towards the features' thresholds.
        budget: a bound on rows or bytes.
    """

    dim: int = 16
    pooling: Literal["sum", "mean"] = "sum"
    row_map: RowMapSource = field(default_factory=Collisionless)
    optimizer: Optimizer = field(default_factory=RowwiseAdagrad)
    lr: float = 0.05
    initializer: Initializer = field(default_factory=Uniform)
    wide: bool = True
    wide_optimizer: Optimizer = field(default_factory=lambda: FTRL(beta=0.0))
    wide_lr: float = 0.1
    admission: Admission = field(default_factory=Admission)
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if self.dim < 0 or self.lr <= 0 or self.wide_lr <= 0:
            raise ConfigError(
                "a table needs dim >= 0, lr > 0 and wide_lr > 0,"
                f" got {self.dim}, {self.lr} and {self.wide_lr}"
            )


@dataclass(frozen=True, kw_only=True)
class Described:
    """Everything that decides what a model is; how it is trained comes on top.

    Args:
        name: names the folder of its output, `runs/NAME`.
        features: categorical features by name.
        model: the network after the tables.
        dense: dense columns.
        tables: one for each that the features name.
        seed: of the initial values, the shuffling and dropout.
    """

    name: str
    features: Mapping[str, Feature]
    model: ModelConfig
    dense: Dense = field(default_factory=Dense)
    tables: Mapping[str, Table] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set("/\\ "):
            raise ConfigError(f"name must be usable as a folder's name, got {self.name!r}")
        if not self.features:
            raise ConfigError("a run needs at least one feature under [features]")
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, got {self.seed}")
        self._check_tables()
        self._check_sums()

    def table_of(self, feature: str) -> str:
        """Names a feature's table."""
        return self.features[feature].table or feature

    @property
    def features_of(self) -> dict[str, list[str]]:
        """The features of each table, tables in the order of their first feature."""
        grouped: dict[str, list[str]] = {}
        for feature in self.features:
            grouped.setdefault(self.table_of(feature), []).append(feature)
        return grouped

    @property
    def num_dense(self) -> int:
        """How many numbers an event has beside its bags."""
        return len(self.dense.columns)

    def is_wide(self, table: str) -> bool:
        """Says whether the ids of a table have a first-order weight."""
        return self.model.is_wide and self.tables[table].wide

    def _check_tables(self) -> None:
        used = self.features_of
        for name in self.tables:
            if name not in used:
                raise ConfigError(f"no feature uses [tables.{name}]; {near(name, list(used))}")
        for name in used:
            if name not in self.tables:
                raise ConfigError(f"tables lacks {name!r}, which features {used[name]} use")
            if not self.tables[name].dim and not self.is_wide(name):
                raise ConfigError(
                    f"tables.{name}.dim = 0 leaves a first-order weight alone, which model"
                    f" {self.model.kind!r} does not use here; choose deepfm or wide_deep, or a dim"
                )

    def _check_sums(self) -> None:
        """Refuses to share rows between features whose vectors or weights a model adds up.

        Their gradients are then one and the same, so that no layer could ever tell them apart
        (Unified Embedding, arXiv 2305.12102, §4: inter-feature collisions need separate readers).
        """
        for name, features in self.features_of.items():
            row_map = self.tables[name].row_map
            is_shared = isinstance(row_map, Multiplexed) and row_map.rows is not None
            added = ["vectors"] if self.model.adds_vectors else []
            added += ["first-order weights"] if self.is_wide(name) else []
            if is_shared and len(features) > 1 and added:
                raise ConfigError(
                    f"features {', '.join(features)} would share rows of table {name!r}, but model"
                    f" {self.model.kind!r} adds up their {' and '.join(added)}, so that one"
                    " gradient goes to both and ids that meet can never be told apart; give each a"
                    " table, or choose a model that reads them apart (dnn, dcn, dlrm)"
                )


def with_tables(values: Mapping[str, Any]) -> dict[str, Any]:
    """Gives plain values with a table for each that a feature names, `table` merged into each."""
    rest = {key: value for key, value in values.items() if key not in ("table", "tables")}
    defaults, tables = values.get("table", {}), values.get("tables", {})
    names = dict.fromkeys([*_table_names(values.get("features", {})), *tables])
    return {**rest, "tables": {name: {**defaults, **tables.get(name, {})} for name in names}}


def _table_names(features: Any) -> list[str]:
    if not isinstance(features, Mapping):
        raise ConfigError(f"features must be a table of features by name, got {features!r}")
    return [f.get("table", name) for name, f in features.items() if isinstance(f, Mapping)]
