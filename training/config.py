"""A run in one TOML file: read, merged with overrides, and checked before anything is opened."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recsys_embed.config import from_dict
from recsys_embed.errors import ConfigError
from training.described import Described, with_tables
from training.events import EventsConfig
from training.learned.contents import Contents
from training.learned.semantic_id import LearnedSemanticId
from training.overrides import assign
from training.readers import DataConfig
from training.splits import SplitConfig, TimeSplit


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


@dataclass(frozen=True, kw_only=True)
class RunConfig(Described):
    """Everything that decides a run's result: what `Described` says, and:

    Args:
        data: which reader, and where its files lie.
        events: what of them is an event.
        contents: what is written about items as more dense columns; none if left out.
        split: train, validation and test.
        train: how long and how fast.
    """

    data: DataConfig
    events: EventsConfig
    contents: Contents | None = None
    split: SplitConfig = field(default_factory=TimeSplit)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_expiry()

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

    def _check_expiry(self) -> None:
        expiring = [name for name, feature in self.features.items() if feature.ttl_days is not None]
        in_order = self.events.time and self.train.order == "time" and self.train.epochs == 1
        if expiring and not in_order:
            raise ConfigError(
                f"features {expiring} expire by event time, so events must come once and in order:"
                " set events.time, train.order = 'time' and train.epochs = 1"
            )


COMMANDS = {"source": "online", "baskets": "retrieval"}  # by a section that only their runs have


def load_config(path: Path, assignments: Sequence[str] = ()) -> RunConfig:
    """Reads a TOML file; each of `assignments`, "section.key=value", replaces one value.

    Raises:
        ConfigError: for a file that is absent or no TOML, and for whatever a config class refuses.
    """
    values = read_toml(path, assignments)
    for section, command in COMMANDS.items():
        if section in values:
            raise ConfigError(
                f"{path.name} is a run of another kind; say recsys-train {command} {path}"
            )
    return from_values(values, path.name)


def from_values(values: Mapping[str, Any], where: str = "config") -> RunConfig:
    """Builds a run's config from plain values, `table` merged into each of `tables`."""
    return from_dict(RunConfig, with_tables(values), where)


def read_toml(path: Path, assignments: Sequence[str] = ()) -> dict[str, Any]:
    """Reads the plain values of a TOML file, some of them replaced.

    Raises:
        ConfigError: for a file that is absent or no TOML, or an assignment that is none.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"expected a config at {path}, but there is none") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected TOML in {path}: {error}") from None
    for assignment in assignments:
        assign(values, assignment)
    return values
