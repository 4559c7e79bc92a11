"""A run in one TOML file: read, merged with overrides, and checked before anything is opened."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recsys_embed import FTRL, Admission, Budget, RowwiseAdagrad, Uniform
from recsys_embed.config import from_dict, near
from recsys_embed.errors import ConfigError
from recsys_embed.initializers import Initializer
from recsys_embed.optimizers import Optimizer
from recsys_embed.row_maps import Collisionless, Multiplexed
from training.events import EventsConfig
from training.features import Dense, Feature
from training.learned import RowMapSource
from training.learned.contents import Contents
from training.learned.semantic_id import LearnedSemanticId
from training.models import ModelConfig
from training.overrides import assign
from training.readers import DataConfig
from training.splits import SplitConfig, TimeSplit


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


@dataclass(frozen=True)
class TrainConfig:
    """Says how long and how fast to train.

    Args:
        batch_size: events a step.
        epochs: passes over the train part.
        order: "time", or "shuffled" anew for each epoch.
        lr: of Adam on the dense layers.
        weight_decay: of Adam on the dense layers.
        missing: what an id without a row reads as, in training before admission and in evaluation.
        eval_every: steps between evaluations on the validation part; 0: after each epoch.
        patience: evaluations without a better `monitor` until training stops, and the best state is
            taken; 0: never, and the last state is taken.
        monitor: "auc" or "log_loss", of the validation part.
        window: steps over which the running figures of training are taken.
        checkpoint_every: steps between checkpoints; 0: only when interrupted.
        expire_every: steps between looks for expired rows.
        threads: of the tables; 0: one a core. Results do not depend on it.
    """

    batch_size: int = 1024
    epochs: int = 1
    order: Literal["time", "shuffled"] = "time"
    lr: float = 1e-3
    weight_decay: float = 0.0
    missing: Literal["initial", "zeros"] = "zeros"
    eval_every: int = 0
    patience: int = 0
    monitor: Literal["auc", "log_loss"] = "auc"
    window: int = 100
    checkpoint_every: int = 1000
    expire_every: int = 100
    threads: int = 0

    def __post_init__(self) -> None:
        positive = {
            n: getattr(self, n) for n in ("batch_size", "epochs", "lr", "window", "expire_every")
        }
        others = {
            n: getattr(self, n)
            for n in ("weight_decay", "eval_every", "patience", "checkpoint_every", "threads")
        }
        for name, value in positive.items():
            if value <= 0:
                raise ConfigError(f"train.{name} must be above 0, got {value}")
        for name, value in others.items():
            if value < 0:
                raise ConfigError(f"train.{name} must not be negative, got {value}")


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result.

    Args:
        name: names the folder of its output, `runs/NAME`.
        data: which reader, and where its files lie.
        events: what of them is an event.
        features: categorical features by name.
        model: the network after the tables.
        dense: dense columns.
        contents: what is written about items as more dense columns; none if left out.
        split: train, validation and test.
        tables: one for each that the features name.
        train: how long and how fast.
        seed: of the initial values, the shuffling and dropout.
    """

    name: str
    data: DataConfig
    events: EventsConfig
    features: Mapping[str, Feature]
    model: ModelConfig
    dense: Dense = field(default_factory=Dense)
    contents: Contents | None = None
    split: SplitConfig = field(default_factory=TimeSplit)
    tables: Mapping[str, Table] = field(default_factory=dict)
    train: TrainConfig = field(default_factory=TrainConfig)
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
        self._check_expiry()

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
        return len(self.dense.columns) + (self.contents.width if self.contents else 0)

    @property
    def texts(self) -> list[str]:
        """Columns of text that something is learned from."""
        sources = [table.row_map for table in self.tables.values()]
        texts = [source.text for source in sources if isinstance(source, LearnedSemanticId)]
        return [*texts, *([self.contents.text] if self.contents else [])]

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

    def _check_expiry(self) -> None:
        expiring = [name for name, feature in self.features.items() if feature.ttl_days is not None]
        in_order = self.events.time and self.train.order == "time" and self.train.epochs == 1
        if expiring and not in_order:
            raise ConfigError(
                f"features {expiring} expire by event time, so events must come once and in order:"
                " set events.time, train.order = 'time' and train.epochs = 1"
            )


def load_config(path: Path, assignments: Sequence[str] = ()) -> RunConfig:
    """Reads a TOML file; each of `assignments`, "section.key=value", replaces one value.

    Raises:
        ConfigError: for a file that is absent or no TOML, and for whatever a config class refuses.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"expected a config at {path}, but there is none") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected TOML in {path}: {error}") from None
    for assignment in assignments:
        assign(values, assignment)
    return from_values(values, path.name)


def from_values(values: Mapping[str, Any], where: str = "config") -> RunConfig:
    """Builds a run's config from plain values, `table` merged into each of `tables`."""
    rest = {key: value for key, value in values.items() if key not in ("table", "tables")}
    defaults, tables = values.get("table", {}), values.get("tables", {})
    names = dict.fromkeys([*_table_names(values.get("features", {})), *tables])
    merged = {name: {**defaults, **tables.get(name, {})} for name in names}
    return from_dict(RunConfig, {**rest, "tables": merged}, where)


def _table_names(features: Any) -> list[str]:
    if not isinstance(features, Mapping):
        raise ConfigError(f"features must be a table of features by name, got {features!r}")
    return [f.get("table", name) for name, f in features.items() if isinstance(f, Mapping)]
